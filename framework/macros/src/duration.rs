//! Durations as options have them.

use crate::subject::Subject;
use std::time::Duration;
use syn::{LitStr, parse::ParseStream};
use tropos_core::age;

/// An age as it was written, and what it means.
pub(crate) struct Age {
    pub(crate) text: String,
    /// `None`: never.
    pub(crate) after: Option<Duration>,
}

impl Age {
    /// In milliseconds; `None`: never.
    pub(crate) fn millis(&self) -> Option<u64> {
        self.after.and_then(|after| u64::try_from(after.as_millis()).ok())
    }
}

/// Reads the value of `key`: a string such as `"60s"`, or `"never"` where the key allows it.
pub(crate) fn read(
    subject: &Subject,
    key: &str,
    allows_never: bool,
    input: ParseStream<'_>,
) -> syn::Result<Age> {
    if !input.peek(LitStr) {
        let written = crate::options::skip_value(input);
        let how = format!("`{key}` is a string with a unit: write `{key} = \"60s\"`");
        return Err(subject.error_at(written, how));
    }
    let literal: LitStr = input.parse()?;
    let text = literal.value();
    match age::parse(&text) {
        Ok(None) if !allows_never => Err(subject.error(
            &literal,
            format!("`{key} = \"never\"` has no end: write a duration, such as `1h` or `7d`"),
        )),
        Ok(after) => Ok(Age { text, after }),
        Err(error) => {
            let message = error.to_string();
            // The core names the text alone; here its key stands before it, and `never` is offered only where it may be.
            let rest = message.strip_prefix(&format!("`{text}`")).unwrap_or(&message);
            let rest = if allows_never { rest } else { rest.trim_end_matches(", or `never`") };
            Err(subject.error(&literal, format!("`{key} = \"{text}\"`{rest}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse::Parser;

    fn message(source: &str, allows_never: bool) -> String {
        let subject = Subject::new("/p");
        let read = |input: ParseStream<'_>| read(&subject, "ttl", allows_never, input);
        read.parse_str(source).map_or_else(|error| error.to_string(), |age| format!("{:?}", age.millis()))
    }

    #[test]
    fn an_age_is_read_or_refused_with_its_key() {
        let units = "write a whole number with a unit, such as `500ms`, `60s`, `10m`, `2h`, `7d`";
        for (source, allows_never, expected) in [
            ("\"60s\"", true, "Some(60000)".to_owned()),
            ("\"never\"", true, "None".to_owned()),
            (
                "\"never\"",
                false,
                "`/p`: `ttl = \"never\"` has no end: write a duration, such as `1h` or `7d`".to_owned(),
            ),
            ("\"inf\"", true, format!("`/p`: `ttl = \"inf\"` is not a duration: {units}, or `never`")),
            ("\"-1s\"", false, format!("`/p`: `ttl = \"-1s\"` is not a duration: {units}")),
            ("60", true, "`/p`: `ttl` is a string with a unit: write `ttl = \"60s\"`".to_owned()),
        ] {
            assert_eq!(message(source, allows_never), expected, "{source}");
        }
    }
}
