//! The invalidations on disk, so that they survive the process.
//!
//! `tags.journal` is a text of records, one a line: a checksum, a number, a word, and what the word needs.
//!
//! ```text
//! 9a0c…  0 sequence-of 5d11…        the incarnation; always first
//! 77e1… 12 at                       the sequence has reached 12
//! 03bd…  4 floor-hard               tags without a record count as invalidated at 4
//! e55a… 13 hard product-42 cart     an invalidation
//! ```
//!
//! A record is synced to the disk before the invalidation returns. A last record without its end belongs to an invalidation
//! that never returned, and is dropped. Anything else that does not read means that invalidations may be lost: the journal
//! begins a new incarnation then, so that no entry made before counts as valid.

use super::{Strength, TagNumbers};
use crate::Error;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use tropos_core::Tag;
use xxhash_rust::xxh3::xxh3_64;

/// Rewritten when it is longer than this and twice what it was when it was last written anew.
const SHORT: u64 = 1 << 20;

/// Tags a record when it is rewritten: keeps what a single damaged line can cost, and the memory for it, small.
const TAGS_A_RECORD: usize = 256;

/// The journal of one folder, open for appending.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    /// `None`: a write failed, so nobody knows how the file ends. It is rewritten before the next record.
    file: Option<File>,
    bytes: u64,
    rewritten_bytes: u64,
    /// Held open: the folder is locked as long as this is.
    _lock: File,
}

impl Journal {
    /// Reads the journal of `dir`, or begins one.
    pub(super) fn open(dir: &Path, lock: File) -> Result<(Self, TagNumbers), Error> {
        let path = dir.join(FILE);
        let read = match fs::read(&path) {
            Ok(bytes) => parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(TagNumbers::new(new_incarnation())),
            Err(source) => {
                return Err(Error::Io { what: "read", path, source });
            }
        };
        let numbers = read.unwrap_or_else(|| {
            tracing::error!(path = %path.display(), "the journal of invalidations is damaged: all entries are made anew");
            // Entries of the build know no incarnation, so the floor has to outdate them.
            let mut numbers = TagNumbers::new(new_incarnation());
            numbers.raise_floor(Strength::Hard, 1);
            numbers
        });
        let mut journal = Self { dir: dir.to_owned(), file: None, bytes: 0, rewritten_bytes: 0, _lock: lock };
        if let Err(error) = journal.rewrite(&numbers) {
            // Pages can be served from memory all the same; invalidations fail, so that their callers know.
            tracing::error!(%error, "invalidations fail until the journal can be written");
        }
        Ok((journal, numbers))
    }

    /// Writes records, and returns when they would survive a loss of power. `numbers` is the state before them.
    pub(super) fn append(&mut self, records: &str, numbers: &TagNumbers) -> Result<(), Error> {
        if self.file.is_none() || self.bytes > SHORT.max(2 * self.rewritten_bytes) {
            self.rewrite(numbers)?;
        }
        let Some(mut file) = self.file.take() else {
            return Err(Error::Closed);
        };
        let written = file.write_all(records.as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|source| Error::Io { what: "write", path: self.dir.join(FILE), source })?;
        self.bytes += records.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Writes the whole journal anew. It is replaced in one step, or not at all.
    fn rewrite(&mut self, numbers: &TagNumbers) -> Result<(), Error> {
        self.file = None; // should this fail half-way, it may be a file without a name by then
        let temporary = self.dir.join("tags.journal.new");
        let path = self.dir.join(FILE);
        let text = write_all(numbers);
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &path)?;
            sync_dir(&self.dir)?;
            Ok(file) // under its new name; what follows is written behind what is there
        };
        self.file = Some(write().map_err(|source| Error::Io { what: "write", path, source })?);
        self.bytes = text.len() as u64;
        self.rewritten_bytes = self.bytes;
        Ok(())
    }
}

/// The journal's name within the folder.
const FILE: &str = "tags.journal";

/// Drawn, so that no other sequence has it; never 0.
pub(super) fn new_incarnation() -> u64 {
    rand::random_range(1..=u64::MAX)
}

/// A renamed file is there after a loss of power only if its folder was synced too.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

fn write_all(numbers: &TagNumbers) -> String {
    let current = numbers.current();
    let mut out = record(0, "sequence-of", [format!("{:016x}", current.incarnation)]);
    let none: [&str; 0] = [];
    out += &record(current.sequence, "at", none);
    out += &record(numbers.floor().hard, "floor-hard", none);
    out += &record(numbers.floor().soft, "floor-soft", none);
    let mut by_number: BTreeMap<(u64, &str), Vec<&Tag>> = BTreeMap::new();
    for (tag, marks) in numbers.marks() {
        for (number, strength) in [(marks.hard, Strength::Hard), (marks.soft, Strength::Soft)] {
            if number > 0 {
                by_number.entry((number, word(strength))).or_default().push(tag);
            }
        }
    }
    for ((number, word), tags) in by_number {
        for some in tags.chunks(TAGS_A_RECORD) {
            out += &record(number, word, some);
        }
    }
    out
}

/// The record of an invalidation.
pub(super) fn invalidation(number: u64, strength: Strength, tags: &[Tag]) -> String {
    record(number, word(strength), tags)
}

fn word(strength: Strength) -> &'static str {
    match strength {
        Strength::Hard => "hard",
        Strength::Soft => "soft",
    }
}

fn record(number: u64, word: &str, rest: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut body = format!("{number} {word}");
    for item in rest {
        // Names of tags hold neither blanks nor line ends; writing into a String cannot fail.
        let _ = write!(body, " {item}");
    }
    format!("{:016x} {body}\n", xxh3_64(body.as_bytes()))
}

/// `None`: damaged, so that invalidations may be lost.
fn parse(bytes: &[u8]) -> Option<TagNumbers> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = read_record(lines.next()?)?;
    let mut numbers = match (first.word, first.rest) {
        ("sequence-of", incarnation) => TagNumbers::new(u64::from_str_radix(incarnation, 16).ok()?),
        _ => return None,
    };
    for line in lines {
        match read_record(line).map(|record| record.apply(&mut numbers)) {
            Some(true) => {}
            None if !line.ends_with(b"\n") => {} // torn: that invalidation never returned
            None | Some(false) => return None,
        }
    }
    Some(numbers)
}

struct Record<'a> {
    number: u64,
    word: &'a str,
    rest: &'a str,
}

fn read_record(line: &[u8]) -> Option<Record<'_>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let (sum, body) = line.split_once(' ')?;
    if u64::from_str_radix(sum, 16).ok()? != xxh3_64(body.as_bytes()) {
        return None;
    }
    let (number, rest) = body.split_once(' ')?;
    let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    Some(Record { number: number.parse().ok()?, word, rest })
}

impl Record<'_> {
    /// False for a word that is not known: a later version wrote it, and this one cannot tell what it means.
    fn apply(self, numbers: &mut TagNumbers) -> bool {
        let tags = || self.rest.split(' ').filter(|tag| !tag.is_empty()).map(Tag::from).collect::<Vec<_>>();
        match self.word {
            "at" => numbers.apply(&[], Strength::Hard, self.number),
            "floor-hard" => numbers.raise_floor(Strength::Hard, self.number),
            "floor-soft" => numbers.raise_floor(Strength::Soft, self.number),
            "hard" => numbers.apply(&tags(), Strength::Hard, self.number),
            "soft" => numbers.apply(&tags(), Strength::Soft, self.number),
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stamp, Validity};
    use proptest::prelude::*;

    fn text(invalidations: &[(Strength, &[&str])]) -> (String, TagNumbers) {
        let mut numbers = TagNumbers::new(77);
        let mut text = write_all(&numbers);
        for (strength, tags) in invalidations {
            let tags: Vec<Tag> = tags.iter().map(|tag| Tag::from(*tag)).collect();
            let number = numbers.invalidate(&tags, *strength);
            text += &invalidation(number, *strength, &tags);
        }
        (text, numbers)
    }

    #[test]
    fn appended_and_rewritten_records_read_as_the_numbers_they_came_from() {
        let (appended, numbers) =
            text(&[(Strength::Hard, &["a", "b"]), (Strength::Soft, &["b"]), (Strength::Hard, &["c"])]);
        for text in [appended, write_all(&numbers)] {
            let read = parse(text.as_bytes()).unwrap();
            assert_eq!(read.current(), numbers.current());
            for tag in ["a", "b", "c", "d"] {
                for sequence in 0..4 {
                    let at = Stamp { incarnation: 77, sequence };
                    assert_eq!(
                        read.validity(&[tag.into()], at),
                        numbers.validity(&[tag.into()], at),
                        "{tag} {at:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_torn_last_record_loses_that_record_alone_and_the_sequence_never_goes_back() {
        let (before, _) = text(&[(Strength::Hard, &["a"])]);
        let (whole, _) = text(&[(Strength::Hard, &["a"]), (Strength::Hard, &["b"])]);
        for end in before.len()..whole.len() {
            let read = parse(&whole.as_bytes()[..end]).unwrap();
            assert_eq!(read.current(), Stamp { incarnation: 77, sequence: 1 }, "cut at {end}");
            assert_eq!(read.validity(&["a".into()], Stamp { incarnation: 77, sequence: 0 }), Validity::Hard);
        }
    }

    #[test]
    fn damage_is_not_taken_for_a_torn_record() {
        let (whole, _) = text(&[(Strength::Hard, &["a"]), (Strength::Hard, &["b"])]);
        for record in [" sequence-of", " hard a", " hard b"] {
            let at = whole.find(record).unwrap() + record.len() - 1;
            let mut damaged = whole.clone().into_bytes();
            damaged[at] = b'x';
            assert!(parse(&damaged).is_none(), "{record}");
        }
        assert!(parse(b"").is_none());
        assert!(parse(b"something else\n").is_none());
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind_and_the_next_one_starts_from_a_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let lock = File::create(dir.path().join("lock")).unwrap();
        let (mut journal, mut numbers) = Journal::open(dir.path(), lock).unwrap();
        let read = || parse(&fs::read(dir.path().join(FILE)).unwrap()).unwrap();
        let record = |number, tag: &str| invalidation(number, Strength::Hard, &[tag.into()]);

        journal.file = Some(File::open(dir.path().join(FILE)).unwrap()); // for reading alone: writes fail
        assert!(matches!(journal.append(&record(1, "a"), &numbers), Err(Error::Io { what: "write", .. })));
        assert_eq!(read().current().sequence, 0);

        journal.append(&record(1, "b"), &numbers).unwrap();
        numbers.invalidate(&["b".into()], Strength::Hard);
        assert_eq!(read().current(), numbers.current());
    }

    proptest! {
        #[test]
        fn a_forgetful_journal_is_never_wrong_to_the_unsafe_side(
            steps in proptest::collection::vec((0_u8..20, any::<bool>()), 0..60),
        ) {
            let mut all = TagNumbers::new(5);
            let mut few = TagNumbers::with_capacity(5, 4);
            for (tag, hard) in steps {
                let strength = if hard { Strength::Hard } else { Strength::Soft };
                let tag = [Tag::from(("t", tag))];
                all.invalidate(&tag, strength);
                few.invalidate(&tag, strength);
            }
            let few = parse(write_all(&few).as_bytes()).unwrap();
            prop_assert!(few.len() <= 4);
            for tag in 0..20_u8 {
                for sequence in 0..=all.current().sequence {
                    let at = Stamp { incarnation: 5, sequence };
                    let tag = [Tag::from(("t", tag))];
                    prop_assert!(few.validity(&tag, at) >= all.validity(&tag, at));
                }
                prop_assert_eq!(few.validity(&[Tag::from(("t", tag))], few.current()), Validity::Valid);
            }
        }
    }
}
