//! Whether the connections of all instances fit into a server (pure).

/// What one instance opens at one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Demand {
    /// Pools: one that reads, and on a primary one that writes.
    pub(super) pools: u32,
    /// Connections by which the server is looked at: one for each time that it is configured.
    pub(super) looks: u32,
}

impl Demand {
    /// That of the same server when all that it replicates has been promoted: each has a pool that writes, too.
    pub(super) fn promoted(self) -> Self {
        Self { pools: self.looks * 2, ..self }
    }
}

/// How demand and limit stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Connections of all instances, when all pools are full.
    pub(super) needed: u64,
    /// The most connections of each pool with which they fit; 0 where not even one fits.
    pub(super) fitting: u32,
    /// Whether they fit as they are.
    pub(super) fits: bool,
}

/// Plans `instances`, each with `connections` in each of its pools, for a server that lets `allowed` in.
pub(super) fn plan(instances: u32, connections: u32, demand: Demand, allowed: u32) -> Plan {
    let one = u64::from(connections) * u64::from(demand.pools) + u64::from(demand.looks);
    let needed = u64::from(instances) * one;
    let share = allowed / instances.max(1);
    let fitting = share.saturating_sub(demand.looks) / demand.pools.max(1);
    Plan { needed, fitting, fits: needed <= u64::from(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_counted_for_all_instances_and_the_number_that_would_fit_does_fit() {
        let primary = Demand { pools: 2, looks: 1 };
        let replica = Demand { pools: 1, looks: 1 };
        // Instances, connections of a pool, demand, allowed; needed, fitting, fits.
        let cases = [
            ("one instance beside PostgreSQL's default", (1, 10, primary, 97), (21, 48, true)),
            ("four fit", (4, 10, primary, 97), (84, 11, true)),
            ("five do not", (5, 10, primary, 97), (105, 9, false)),
            ("replicas have one pool", (8, 10, replica, 97), (88, 11, true)),
            ("exactly", (1, 10, primary, 21), (21, 10, true)),
            ("one too few", (1, 10, primary, 20), (21, 9, false)),
            ("not even one connection fits", (50, 10, primary, 97), (1050, 0, false)),
            ("two shards on one server", (2, 10, Demand { pools: 4, looks: 2 }, 97), (84, 11, true)),
        ];
        for (name, (instances, connections, demand, allowed), (needed, fitting, fits)) in cases {
            let found = plan(instances, connections, demand, allowed);
            assert_eq!(found, Plan { needed, fitting, fits }, "{name}");
            if fitting > 0 {
                assert!(plan(instances, fitting, demand, allowed).fits, "{name}");
            }
            assert!(!plan(instances, fitting + 1, demand, allowed).fits, "{name}");
        }
    }
}
