//! The least of a Redis client that tests need for commands of their own: one connection a command, bounded waits.

use crate::{Error, PATIENCE};
use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Nobody further away than this machine is asked.
const CONNECT: Duration = Duration::from_secs(1);

/// The longest text that is read as one answer, in bytes.
const LONGEST: usize = 64 << 20;

/// Sends one command, and gives its answer as text: an array a line for each element, nil as an empty one.
pub(crate) fn command(
    address: SocketAddr,
    password: Option<&str>,
    words: &[String],
) -> Result<String, Error> {
    let shown = words.join(" ");
    let answer = exchange(address, password, words).map_err(Error::io(format!("{shown} at {address}")))?;
    answer.map_err(|answer| Error::Refused { command: shown, answer })
}

type Answer = Result<String, String>;

fn exchange(address: SocketAddr, password: Option<&str>, words: &[String]) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, CONNECT)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    if let Some(password) = password {
        stream.get_mut().write_all(&encoded(&["AUTH".to_owned(), password.to_owned()]))?;
        if let refused @ Err(_) = read(&mut stream, 0)? {
            return Ok(refused);
        }
    }
    stream.get_mut().write_all(&encoded(words))?;
    read(&mut stream, 0)
}

fn encoded(words: &[String]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

fn read(stream: &mut impl BufRead, depth: usize) -> io::Result<Answer> {
    let line = line(stream)?;
    let mut characters = line.chars();
    let kind = characters.next();
    let rest = characters.as_str();
    match kind {
        Some('+' | ':') => Ok(Ok(rest.to_owned())),
        Some('-') => Ok(Err(rest.to_owned())),
        Some('$') => match length(rest)? {
            None => Ok(Ok(String::new())),
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Ok(String::from_utf8_lossy(&bytes).into_owned()))
            }
        },
        Some('*') if depth < 8 => {
            let mut lines = Vec::new();
            for _ in 0..length(rest)?.unwrap_or(0) {
                lines.push(read(stream, depth + 1)?.unwrap_or_else(|error| format!("-{error}")));
            }
            Ok(Ok(lines.join("\n")))
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("not an answer of Redis: {line:?}"))),
    }
}

fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    let read = stream.take(LONGEST as u64).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("closed after {read} bytes"))),
    }
}

fn length(text: &str) -> io::Result<Option<usize>> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(None),
        Ok(length) if (0..=LONGEST as i64).contains(&length) => Ok(usize::try_from(length).ok()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a length of {text:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answer_becomes_text() {
        for (name, bytes, expected) in [
            ("simple", "+OK\r\n", Ok("OK")),
            ("number", ":17\r\n", Ok("17")),
            ("error", "-ERR no\r\n", Err("ERR no")),
            ("text with a line break", "$4\r\na\r\nb\r\n", Ok("a\r\nb")),
            ("nil", "$-1\r\n", Ok("")),
            ("no array", "*-1\r\n", Ok("")),
            ("nested array", "*3\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-E\r\n", Ok("a\n1\n\n-E")),
        ] {
            let answer = read(&mut bytes.as_bytes(), 0).unwrap();
            assert_eq!(answer.as_deref().map_err(String::as_str), expected, "{name}");
        }
    }

    #[test]
    fn what_is_cut_off_or_no_answer_is_an_error() {
        for bytes in ["", "+O", "$5\r\nab", "*2\r\n:1\r\n", "$x\r\n", "$-2\r\n", "HTTP/1.1 400\r\n"] {
            assert!(read(&mut bytes.as_bytes(), 0).is_err(), "{bytes:?}");
        }
        assert!(read(&mut "*1\r\n".repeat(20).as_bytes(), 0).is_err(), "arrays within arrays without end");
    }
}
