//! Two servers, each a shard.

use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};
use tropos_db::shard::{
    SlotMap, claim, install_sql,
    moving::{Move, Shard},
};
use tropos_parts::Postgres;

/// Sharded by customer. Types whose text is easily lost on the way; an identity, a generated column, names that need
/// quotes; rows that refer to other tables and to their own.
const TABLES: &str = r#"
    create table customer (id text primary key, name text);
    create table "Order" (
        customer text not null references customer on delete cascade,
        id bigint generated always as identity,
        "it's" json, at timestamptz, exact numeric, rough float8, raw bytea, list text[], span interval,
        twice numeric generated always as (exact * 2) stored,
        primary key (customer, id)
    );
    create table node (customer text not null, id int, parent int, primary key (customer, id),
                       foreign key (customer, parent) references node);
    select tropos_sharded('customer', 'id');
    select tropos_sharded('"Order"', 'customer');
    select tropos_sharded('node', 'customer');
"#;

pub struct Two {
    pub servers: Vec<Postgres>,
    urls: [String; 2],
    pub pools: [PgPool; 2],
    pub map: SlotMap,
}

/// Shards `a` and `b` with half of the slots each, and the tables above on both: two databases of one server, which is
/// quicker to start and no different but for dying together.
pub async fn two() -> Two {
    let server = Postgres::start().await.unwrap();
    server.create_database("b").await.unwrap();
    let urls = [server.url("postgres"), server.url("b")];
    prepare(vec![server], urls).await
}

/// The same on two servers.
pub async fn two_servers() -> Two {
    let (a, b) = tokio::join!(Postgres::start(), Postgres::start());
    let servers = vec![a.unwrap(), b.unwrap()];
    let urls = [servers[0].url("postgres"), servers[1].url("postgres")];
    prepare(servers, urls).await
}

pub async fn prepare(servers: Vec<Postgres>, urls: [String; 2]) -> Two {
    let pool = |url: &str| PgPoolOptions::new().max_connections(20).connect_lazy(url).unwrap();
    let pools = [pool(&urls[0]), pool(&urls[1])];
    for pool in &pools {
        sqlx::raw_sql(install_sql()).execute(pool).await.unwrap();
        sqlx::raw_sql(TABLES).execute(pool).await.unwrap();
    }
    let map = SlotMap::even_split(["a", "b"]).unwrap();
    claim(&[&pools[0], &pools[1]], &map).await.unwrap();
    Two { servers, urls, pools, map }
}

impl Two {
    pub fn url(&self, shard: usize) -> &str {
        &self.urls[shard]
    }

    pub fn side(&self, shard: usize) -> Shard {
        Shard::new(["a", "b"][shard], self.url(shard).parse().unwrap())
    }

    pub fn moving(&self, slots: &str, from: usize, to: usize) -> Move {
        Move::new(slots.parse().unwrap(), self.side(from), self.side(to)).batch(7)
    }

    /// The only value.
    pub async fn one(&self, shard: usize, sql: &str) -> String {
        let sql = format!("select ({sql})::text");
        sqlx::query_scalar::<_, Option<String>>(AssertSqlSafe(sql))
            .fetch_one(&self.pools[shard])
            .await
            .unwrap()
            .unwrap_or_default()
    }

    pub async fn run(&self, shard: usize, sql: &str) -> sqlx::Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pools[shard]).await.map(|_| ())
    }

    /// What a shard says of its slots.
    pub async fn slots(&self, shard: usize) -> String {
        self.one(shard, "select string_agg(format('%s-%s %s', first, last, state), ', ' order by first) from tropos_slots")
            .await
    }

    /// Customers, each with two orders and a small tree.
    pub async fn fill(&self, customers: u32) {
        for shard in 0..2 {
            let sql = format!(
                r#"
                create temporary table chosen as
                    select 'c' || n as id from generate_series(1, {customers}) n
                    where tropos_slot('c' || n) / 8192 = {shard};
                insert into customer select id, 'Name of ' || id from chosen;
                insert into "Order" (customer, "it's", at, exact, rough, raw, list, span)
                    select id, '{{"b": 1,  "a":[1,2], "a": null}}', '2024-02-29 12:34:56.123456+02', 1.50, 'NaN', '\x00ff',
                           array['x', null, E'tab\tnew\nline', ''], '1 mon -2 days'
                    from chosen cross join generate_series(1, 2);
                insert into node select id, n, nullif(1, n) from chosen cross join generate_series(1, 3) n
                    order by n desc;
                drop table chosen;"#
            );
            self.run(shard, &sql).await.unwrap();
        }
    }

    /// All rows of some slots on a shard, as text.
    pub async fn rows(&self, shard: usize, slots: &str) -> String {
        let (first, last) = slots.split_once('-').unwrap();
        let of = |table: &str, key: &str| {
            format!(
                "(select string_agg(t::text, E'\\n' order by t::text) from {table} t where tropos_slot({key}) between {first} and {last})"
            )
        };
        let sql = format!(
            "concat_ws('|', {}, {}, {})",
            of("customer", "id"),
            of("\"Order\"", "customer"),
            of("node", "customer")
        );
        self.one(shard, &sql).await
    }
}
