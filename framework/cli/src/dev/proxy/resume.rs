//! An event stream in whole events, so that it can be cut and go on elsewhere.

/// An event that is longer passes as it comes; a cut in it then damages it.
const LONGEST: usize = 1 << 20;

/// Holds an event back until it is complete, and remembers the last ID (HTML §9.2.6).
#[derive(Debug, Default)]
pub(crate) struct Events {
    held: Vec<u8>,
    /// Bytes of `held` that were searched.
    searched: usize,
    id: Option<String>,
}

impl Events {
    /// For a stream that begins behind the event of this ID.
    pub(crate) fn after(id: Option<String>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Takes a part of the stream; returns the events that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let mut complete = 0;
        let mut line = self.searched;
        while let Some((end, next)) = line_end(&self.held, line) {
            if end == line {
                self.learn(complete, end);
                complete = next;
            }
            line = next;
        }
        self.searched = line;
        if complete == 0 && self.held.len() > LONGEST {
            complete = self.held.len();
        }
        self.searched = self.searched.saturating_sub(complete);
        self.held.drain(..complete).collect()
    }

    /// Forgets the event that was cut.
    pub(crate) fn cut(&mut self) {
        self.held.clear();
        self.searched = 0;
    }

    /// The ID of the last complete event that had one: the stream goes on behind it.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn learn(&mut self, start: usize, end: usize) {
        let text = String::from_utf8_lossy(self.held.get(start..end).unwrap_or_default());
        let ids = text.split(['\n', '\r']).filter_map(|line| match line.split_once(':') {
            Some(("id", id)) => Some(id.strip_prefix(' ').unwrap_or(id)),
            None if line == "id" => Some(""),
            _ => None,
        });
        if let Some(id) = ids.rev().find(|id| !id.contains('\0')) {
            self.id = Some(id.to_owned()).filter(|id| !id.is_empty());
        }
    }
}

/// Where the line that begins at `start` ends, and the next begins. A CR at the very end may be half of a CR LF.
fn line_end(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let end = start + bytes.get(start..)?.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    match (bytes.get(end), bytes.get(end + 1)) {
        (Some(b'\r'), Some(b'\n')) => Some((end, end + 2)),
        (Some(b'\r'), None) => None,
        _ => Some((end, end + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_events_pass_and_the_last_id_is_known() {
        let stream =
            "retry: 5\n\nid: 1\ndata: a\n\n: comment\n\nid: 2\r\ndata: b\r\n\r\ndata: c\n\nid: 3\ndata: d";
        for size in [1, 3, 1_000] {
            let mut events = Events::default();
            let mut out = Vec::new();
            for part in stream.as_bytes().chunks(size) {
                out.extend(events.push(part));
            }
            assert_eq!(String::from_utf8(out).unwrap(), stream.rsplit_once("id: 3").unwrap().0);
            assert_eq!(events.last_id(), Some("2"));
        }
    }

    #[test]
    fn what_was_cut_is_forgotten_and_the_next_stream_begins_anew() {
        let mut events = Events::after(Some("7".into()));
        assert!(events.push(b"id: 8\ndata: ha").is_empty());
        events.cut();
        assert_eq!(events.last_id(), Some("7"));
        assert_eq!(events.push(b"id: 8\ndata: half\n\n"), b"id: 8\ndata: half\n\n");
        assert_eq!(events.last_id(), Some("8"));
    }
}
