//! What is measured at the end of each life.
//!
//! To measure one thing more (the keys of a shared store, say), add a gauge to [`Gauges::new`] and its measure, at the
//! same place, to [`Gauges::measure`].

use super::{Outcome, Plan, Pressure};
use crate::{
    Error,
    alive::Alive,
    plateau::{Limits, Series},
};
use std::{fs, io, path::Path};
use tropos_cache::Stats;

const PAGES: &str = "bytes of pages";
const DATA: &str = "bytes of data";
const NOT_FOUND: &str = "bytes of not found";
const FILES: &str = "files on disk";

/// As the engine keeps it: so many answers of "there is no such page" at most, however short they are.
const MOST_NEGATIVES: u64 = 10_000;

/// Files occupy whole blocks.
const BLOCK: u64 = 4_096;

/// The journal is rewritten once it is longer than this and than twice what it has to say, so it goes up and down.
const JOURNAL_LUMP: u64 = 1 << 20;

/// What an allocator keeps for later, and what a measure of a running process is off by.
const RESIDENT_LUMP: u64 = 8 << 20;

/// The engine remembers so many names at most, and then forgets the older half at once: where a life ends between the
/// two is chance.
const MOST_NAMES: u64 = 1_000_000;

/// A remembered name occupies about so many bytes: its text, its place in the table, its numbers.
const NAME_BYTES: u64 = 160;

/// The values of each kind that anybody holds. Those that were read back from disk are copies, and not among them: the
/// process as a whole shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Kinds {
    pub(super) pages: Alive,
    pub(super) negatives: Alive,
    pub(super) data: Alive,
}

/// All series, in the order of [`Gauges::measure`].
pub(super) struct Gauges {
    plan: Plan,
    kinds: Kinds,
    series: Vec<Series>,
}

impl Gauges {
    pub(super) fn new(plan: &Plan) -> Self {
        let for_data = plan.memory_bytes / 4;
        let names_lump = plan.names.min(MOST_NAMES) / 2 * NAME_BYTES;
        let gauges = [
            ("pages by its own count", Some(plan.memory_bytes - for_data), 0),
            ("data by its own count", Some(for_data), 0),
            (PAGES, Some(plan.memory_bytes - for_data), 0),
            (DATA, Some(for_data), 0),
            (NOT_FOUND, Some(plan.negative_bytes), 0),
            ("entries of not found", Some(MOST_NEGATIVES), 0),
            ("bytes on disk", Some(plan.disk_bytes), 0),
            (FILES, Some(plan.disk_bytes / BLOCK), 0),
            ("bytes of the journal", None, JOURNAL_LUMP),
            ("bytes of the process", None, RESIDENT_LUMP + names_lump),
        ];
        let series =
            |(name, bound, slack)| Series { name, measures: Vec::new(), limits: Limits { bound, slack } };
        Self { plan: *plan, kinds: Kinds::default(), series: gauges.into_iter().map(series).collect() }
    }

    pub(super) fn alive(&self) -> Kinds {
        self.kinds.clone()
    }

    /// Measures everything once, while the engine still holds what it holds.
    pub(super) fn measure(&mut self, dir: &Path, stats: &Stats) -> Result<(), Error> {
        let Kinds { pages, negatives, data } = &self.kinds;
        let (files, bytes) = beneath(&dir.join("entries"))?;
        let journal = dir.join("tags.journal");
        let measures = [
            stats.page_bytes as u64,
            stats.data_bytes as u64,
            pages.bytes(),
            data.bytes(),
            negatives.bytes(),
            negatives.values(),
            bytes,
            files,
            fs::metadata(&journal).map_err(|source| Error::Measure { path: journal, source })?.len(),
            resident().unwrap_or(0),
        ];
        self.series.iter_mut().zip(measures).for_each(|(series, measure)| series.measures.push(measure));
        Ok(())
    }

    pub(super) fn into_outcome(self) -> Outcome {
        let Self { plan, kinds: Kinds { pages, negatives, data }, series } = self;
        // A memory lives as long as its process, so each life has to fill it.
        let in_a_life = |made: u64| made / plan.lives.max(1);
        // A disk is emptied by each build.
        let builds = plan.lives.div_ceil(plan.lives_a_build.max(1)).max(1);
        let pressure = [
            (PAGES, in_a_life(pages.made_bytes())),
            (DATA, in_a_life(data.made_bytes())),
            (NOT_FOUND, in_a_life(negatives.made_bytes())),
            (FILES, (pages.made() + data.made()) / builds),
        ];
        let held = |name| {
            let series = series.iter().find(|series| series.name == name);
            series.and_then(|series| series.measures.iter().copied().max()).unwrap_or(0)
        };
        let pressure = pressure.map(|(name, made)| Pressure { name, made, held: held(name) });
        Outcome { series, pressure: pressure.to_vec() }
    }
}

/// The files beneath a folder, and the bytes of the blocks that they occupy.
fn beneath(dir: &Path) -> Result<(u64, u64), Error> {
    let failed = |source: io::Error| Error::Measure { path: dir.to_owned(), source };
    let mut sum = (0, 0);
    for child in fs::read_dir(dir).map_err(failed)? {
        let child = child.map_err(failed)?;
        let about = child.metadata().map_err(failed)?;
        let (files, bytes) = match about.is_dir() {
            true => beneath(&child.path())?,
            false => (1, about.len().div_ceil(BLOCK) * BLOCK),
        };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    Ok(sum)
}

/// The bytes of memory that this process occupies; `None` where the system does not say it as Linux does.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
