//! How far the shared sequence was known, for the next process on this machine.
//!
//! A line of text, `incarnation sequence`. It only serves to find out that the store was emptied while nothing ran, so
//! losing it costs that and nothing else; several instances on one machine may share the folder.

use crate::store::shared::Known;
use std::{fs, io, path::Path};

const FILE: &str = "shared-sequence";

/// What was noted, or nothing.
pub(crate) fn read(folder: &Path) -> Known {
    let text = fs::read_to_string(folder.join(FILE)).unwrap_or_default();
    parse(&text).unwrap_or_default()
}

/// Notes it, where there is anything to note. Replaced in one step.
pub(crate) fn write(folder: &Path, known: Known) {
    if known == Known::default() {
        return;
    }
    let temporary = folder.join(format!("{FILE}.{}", std::process::id()));
    let text = format!("{:016x} {}\n", known.incarnation, known.sequence);
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(&temporary, text)?;
        fs::rename(&temporary, folder.join(FILE))
    };
    if let Err(error) = write() {
        tracing::debug!(%error, folder = %folder.display(), "how far the shared sequence is known was not noted");
    }
}

fn parse(text: &str) -> Option<Known> {
    let (incarnation, sequence) = text.trim_end().split_once(' ')?;
    let incarnation = u64::from_str_radix(incarnation, 16).ok()?;
    // Without its token: that tells forks apart between renewals, and the store forgets it.
    Some(Known { incarnation, sequence: sequence.parse().ok()?, token: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_anything_else_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()), Known::default());
        let known = Known { incarnation: 0xabc, sequence: 7, token: 0 };
        write(folder.path(), Known { token: 5, ..known });
        assert_eq!(read(folder.path()), known);
        write(folder.path(), Known::default());
        assert_eq!(read(folder.path()), known, "nothing known is nothing to note");
        for torn in ["", "abc", "xyz 7\n", "abc x"] {
            fs::write(folder.path().join(FILE), torn).unwrap();
            assert_eq!(read(folder.path()), Known::default(), "{torn}");
        }
    }
}
