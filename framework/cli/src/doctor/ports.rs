//! Who listens at an address.

use super::facts::Port;
use std::{io::ErrorKind, net::TcpListener, path::Path};

/// Tries to listen there for a moment.
pub(super) fn look(address: &str) -> Port {
    match TcpListener::bind(address) {
        Ok(_) => Port::Free,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            Port::Taken(port.and_then(|port| holder(Path::new("/proc"), port)))
        }
        Err(error) => Port::Refused(error.to_string()),
    }
}

/// The program that listens at a port and its process, as Linux tells those who may see it: its user, and root.
fn holder(proc: &Path, port: u16) -> Option<(String, u32)> {
    let tables =
        ["net/tcp", "net/tcp6"].map(|name| std::fs::read_to_string(proc.join(name)).unwrap_or_default());
    let sockets: Vec<String> = tables.iter().flat_map(|table| listening(table, port)).collect();
    let processes = proc.read_dir().ok()?.filter_map(Result::ok);
    let mut numbered =
        processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let (pid, folder) = numbered.find(|(_, folder): &(u32, _)| {
        let open = folder.join("fd").read_dir().into_iter().flatten().filter_map(Result::ok);
        open.filter_map(|file| std::fs::read_link(file.path()).ok())
            .any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
    })?;
    Some((name(&folder)?, pid))
}

/// The name of a program's file, also of one that was replaced meanwhile.
fn name(folder: &Path) -> Option<String> {
    let file = std::fs::read_link(folder.join("exe")).ok()?;
    let name = file.file_name()?.to_string_lossy().into_owned();
    Some(name.strip_suffix(" (deleted)").map_or(name.clone(), str::to_owned))
}

/// `socket:[12345]` for each line of `/proc/net/tcp` that listens at the port.
fn listening(table: &str, port: u16) -> Vec<String> {
    /// The state of a listener.
    const LISTEN: &str = "0A";
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let at_port = lines.filter(|words| {
        let of = |text: &&str| text.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        words.get(1).and_then(of) == Some(port) && words.get(3) == Some(&LISTEN)
    });
    at_port.filter_map(|words| words.get(9).map(|inode| format!("socket:[{inode}]"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_table_of_the_system() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0\n   \
                     1: 0100007F:0BB8 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0\n   \
                     2: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0\n";
        assert_eq!(listening(table, 3000), ["socket:[4711]"]);
        assert!(listening("nonsense\nx", 3000).is_empty());
    }

    #[test]
    fn a_free_port_is_free_and_a_taken_one_is_this_programs() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        match look(&address) {
            Port::Taken(Some((_, pid))) => assert_eq!(pid, std::process::id()),
            // Only Linux tells.
            other => assert_eq!((other, cfg!(target_os = "linux")), (Port::Taken(None), false)),
        }
        drop(listener);
        assert_eq!(look(&address), Port::Free);
        assert!(matches!(look("192.0.2.1:3000"), Port::Refused(_)));
    }
}
