//! As much of HTTP/1.1 as both ends of the tests need: heads, and bodies in each framing.

use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A head larger than this is an error, so that a broken server cannot fill the memory of its test.
const HEAD_LIMIT: usize = 1 << 20;

/// The first line of a request or an answer, and its headers in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The request line or the status line.
    pub first: String,
    /// Names as they were spelled, values trimmed.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// Reads up to the empty line; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the stream ends within the head, or the head is too large.
    pub async fn read<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<Self>> {
        let mut head = Self::default();
        let mut size = 0;
        loop {
            let mut line = Vec::new();
            size += reader.read_until(b'\n', &mut line).await?;
            if size == 0 {
                return Ok(None);
            }
            if !line.ends_with(b"\n") || size > HEAD_LIMIT {
                return Err(invalid("the stream ended within the head, or the head is over 1 MiB"));
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            match (line.is_empty(), head.first.is_empty()) {
                (true, true) => {}
                (true, false) => return Ok(Some(head)),
                (false, true) => head.first = line.to_owned(),
                (false, false) => {
                    let (name, value) =
                        line.split_once(':').ok_or_else(|| invalid("a header without colon"))?;
                    head.headers.push((name.to_owned(), value.trim().to_owned()));
                }
            }
        }
    }

    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length,
    Chunked,
    UntilClose,
}

/// The rest of a body that is read piece by piece.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    /// Bytes left of the body, or of the chunk.
    left: u64,
    ended: bool,
}

impl Body {
    /// The framing that an answer's head declares. `bodiless` for answers to `HEAD`.
    ///
    /// # Errors
    /// When the length is no number.
    pub fn of_answer(head: &Head, status: u16, bodiless: bool) -> io::Result<Self> {
        let body = |framing, left, ended| Self { framing, left, ended };
        if bodiless || status == 204 || status == 304 || status < 200 {
            return Ok(body(Framing::Length, 0, true));
        }
        if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return Ok(body(Framing::Chunked, 0, false));
        }
        match head.header("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| invalid("Content-Length is not a number"))?;
                Ok(body(Framing::Length, length, length == 0))
            }
            None => Ok(body(Framing::UntilClose, u64::MAX, false)),
        }
    }

    /// Whether nothing is left.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// The next piece, as soon as any of it is there; `None` after the last.
    ///
    /// # Errors
    /// When the stream ends early or a chunk is malformed.
    pub async fn piece<R: AsyncBufRead + Unpin>(&mut self, reader: &mut R) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        if self.framing == Framing::Chunked && self.left == 0 {
            self.left = chunk_size(reader).await?;
            if self.left == 0 {
                while !line(reader).await?.is_empty() {}
                self.ended = true;
                return Ok(None);
            }
        }
        let mut piece = vec![0; usize::try_from(self.left.min(64 * 1024)).unwrap_or(64 * 1024)];
        let read = reader.read(&mut piece).await?;
        piece.truncate(read);
        if read == 0 {
            self.ended = true;
            return match self.framing {
                Framing::UntilClose => Ok(None),
                _ => Err(invalid("the stream ended within the body")),
            };
        }
        if self.framing != Framing::UntilClose {
            self.left -= read as u64;
        }
        match self.framing {
            Framing::Length => self.ended = self.left == 0,
            Framing::Chunked if self.left == 0 => drop(line(reader).await?),
            _ => {}
        }
        Ok(Some(piece))
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Body::piece`].
    pub async fn rest<R: AsyncBufRead + Unpin>(&mut self, reader: &mut R) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece(reader).await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

async fn line<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).await?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

async fn chunk_size<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<u64> {
    let line = line(reader).await?;
    let digits = line.split(';').next().unwrap_or_default().trim();
    u64::from_str_radix(digits, 16).map_err(|_| invalid(&format!("no chunk size: {line:?}")))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Decodes percent-encoding as far as it is well formed.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.filter(|_| byte == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(mut bytes: &[u8]) -> io::Result<(Head, Vec<u8>)> {
        let head = Head::read(&mut bytes).await?.unwrap();
        let status = head.first.split(' ').nth(1).unwrap().parse().unwrap();
        let body = Body::of_answer(&head, status, false)?.rest(&mut bytes).await?;
        Ok((head, body))
    }

    #[tokio::test]
    async fn each_framing_gives_the_whole_body() {
        let cases: [(&str, &[u8], &[u8]); 5] = [
            ("length", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcXX", b"abc"),
            ("chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;x=y\r\n0123456789\r\n0\r\nt: 1\r\n\r\nXX", b"ab0123456789"),
            ("until the end", b"HTTP/1.1 200 OK\r\n\r\nabc", b"abc"),
            ("none", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n", b""),
            ("empty", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nXX", b""),
        ];
        for (name, bytes, body) in cases {
            assert_eq!(answer(bytes).await.unwrap().1, body, "{name}");
        }
    }

    #[tokio::test]
    async fn a_body_that_ends_early_is_an_error() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-le",
        ] {
            assert!(answer(bytes).await.is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[tokio::test]
    async fn headers_keep_their_order_and_duplicates() {
        let (head, _) = answer(b"HTTP/1.1 200 OK\r\nA: 1\r\nb:2\r\na:  3 \r\n\r\n").await.unwrap();
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(head.headers, [owned("A", "1"), owned("b", "2"), owned("a", "3")]);
        assert_eq!(head.header("B"), Some("2"));
    }

    #[test]
    fn malformed_percent_encoding_stays_as_it_is() {
        assert_eq!(percent_decode("a%20b%c3%a9%zz%4"), "a bé%zz%4");
    }
}
