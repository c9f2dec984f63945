//! Who asks for what: a few things are asked for often, and most seldom.

/// Numbers from a seed, the same on every machine and in every version (SplitMix64).
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The draws that belong to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is small beside 2^64, so that all are about equally likely; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.any() % end.max(1)
    }

    /// A number from 0 to under 1.
    pub fn unit(&mut self) -> f64 {
        (self.any() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Ranks from 0, where rank `r` is drawn in proportion to `1 / (r + 1)^exponent`.
#[derive(Debug, Clone)]
pub struct Zipf {
    /// The sum of the weights up to and with each rank.
    sums: Vec<f64>,
}

impl Zipf {
    /// So many ranks. An exponent near 1 is what traffic to pages, products and names is usually found to have.
    pub fn new(ranks: usize, exponent: f64) -> Self {
        let weights = (1..=ranks).map(|rank| (rank as f64).powf(-exponent));
        let sums = weights.scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Draws a rank.
    pub fn draw(&self, draws: &mut Draws) -> usize {
        let at = draws.unit() * self.sums.last().copied().unwrap_or(0.0);
        self.sums.partition_point(|sum| *sum <= at).min(self.sums.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_drawn_in_proportion_to_their_weights() {
        let (zipf, mut draws) = (Zipf::new(100, 1.0), Draws::new(1));
        let mut drawn = [0_u32; 100];
        (0..100_000).for_each(|_| drawn[zipf.draw(&mut draws)] += 1);
        let harmonic: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [0_usize, 1, 9, 49] {
            let expected = 100_000.0 / harmonic / (rank + 1) as f64;
            let off = (f64::from(drawn[rank]) - expected).abs() / expected;
            assert!(off < 0.1, "rank {rank}: {} drawn, {expected} expected", drawn[rank]);
        }
        assert!(drawn.iter().all(|count| *count > 0));
    }

    #[test]
    fn a_seed_gives_the_same_draws_for_ever() {
        let mut draws = Draws::new(0);
        assert_eq!(draws.any(), 0xe220_a839_7b1d_cdaf, "the reference value of SplitMix64");
        assert_eq!((draws.below(0), Zipf::new(0, 1.0).draw(&mut draws)), (0, 0));
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&draws.unit())));
    }
}
