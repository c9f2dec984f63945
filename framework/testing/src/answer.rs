//! What an application answered.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header; empty where it is missing or no text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The cookies that the answer sets, as a browser would send them back: `a=1; b=2`.
    pub fn cookies(&self) -> String {
        let lines = self.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
        lines.filter_map(|line| line.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    /// The text between the first `<… id="ID" …>` and its next tag.
    pub fn by_id(&self, id: &str) -> Option<String> {
        let text = self.text();
        let (_, after) = text.split_once(&format!("id=\"{id}\""))?;
        let (_, after) = after.split_once('>')?;
        after.split_once('<').map(|(inner, _)| inner.to_owned())
    }
}
