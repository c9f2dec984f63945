//! Which replica answers a read. Pure: chance is handed in.

/// A replica that may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its place among the servers.
    pub(crate) server: usize,
    /// Reads under way on it.
    pub(crate) load: u32,
    /// Which process answers at its address.
    pub(crate) generation: u64,
}

/// The less loaded of two that chance picks ("the power of two random choices", Mitzenmacher 1996): nearly as even as
/// asking all of them, and no replica is stormed because it was the least loaded a moment ago.
pub(crate) fn choose(candidates: &[Candidate], mut random: impl FnMut(usize) -> usize) -> Option<Candidate> {
    let first = random(candidates.len().max(1));
    // The second among the others, so that two candidates are always compared.
    let others = candidates.len().saturating_sub(1);
    let second = if others == 0 { first } else { (first + 1 + random(others)) % candidates.len() };
    let (a, b) = (candidates.get(first)?, candidates.get(second)?);
    Some(if b.load < a.load { *b } else { *a })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(loads: &[u32]) -> Vec<Candidate> {
        let candidate = |(server, load): (usize, &u32)| Candidate { server, load: *load, generation: 0 };
        loads.iter().enumerate().map(candidate).collect()
    }

    #[test]
    fn the_less_loaded_of_two_is_chosen() {
        let all = candidates(&[3, 1, 2]);
        for (first, second, chosen) in [(0, 0, 1), (0, 1, 2), (1, 0, 1), (2, 0, 2), (2, 1, 1)] {
            let mut picks = [first, second].into_iter();
            let choice = choose(&all, |_| picks.next().unwrap_or_default());
            assert_eq!(choice.map(|choice| choice.server), Some(chosen), "{first} {second}");
        }
    }

    #[test]
    fn one_is_chosen_and_none_is_not() {
        assert_eq!(choose(&candidates(&[9]), |_| 0).map(|choice| choice.server), Some(0));
        assert_eq!(choose(&[], |_| 0), None);
    }

    #[test]
    fn load_evens_out() {
        use rand::RngExt;
        let mut loads = [0u32; 5];
        let mut rng = rand::rng();
        for _ in 0..5_000 {
            let choice = choose(&candidates(&loads), |below| rng.random_range(0..below)).map(|c| c.server);
            if let Some(load) = choice.and_then(|server| loads.get_mut(server)) {
                *load += 1;
            }
        }
        let spread = loads.iter().max().zip(loads.iter().min()).map(|(most, least)| most - least);
        assert!(spread.is_some_and(|spread| spread < 20), "{loads:?}");
    }
}
