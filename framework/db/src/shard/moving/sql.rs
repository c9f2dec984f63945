//! The statements that move rows: pure text. Names of tables and columns come quoted from the database itself, and so do
//! the values of keys.

use crate::shard::SlotRanges;

/// A sharded table, every name as SQL has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// With its schema.
    pub(super) name: String,
    /// The column that decides on the slot.
    pub(super) key: String,
    /// The columns that are written, each with its type.
    pub(super) columns: Vec<(String, String)>,
    /// The columns of the primary key.
    pub(super) primary: Vec<String>,
    /// Whether its rows refer to each other.
    pub(super) refers_to_itself: bool,
}

/// The sharded tables in the order in which they were declared.
pub(super) const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname),
       quote_ident(s.key),
       array(select quote_ident(a.attname) from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attname),
       array(select format_type(a.atttypid, a.atttypmod) from pg_attribute a
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             order by a.attname),
       array(select quote_ident(a.attname) from pg_index i
             cross join lateral unnest(i.indkey::int2[]) with ordinality k(attnum, place)
             join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
             where i.indrelid = c.oid and i.indisprimary order by k.place),
       exists (select from pg_constraint f where f.contype = 'f' and f.conrelid = c.oid and f.confrelid = c.oid)
from tropos_tables s
join pg_class c on c.oid = s.tbl::oid
join pg_namespace n on n.oid = c.relnamespace
order by s.place";

/// How a session writes values, so that both sides read them alike; and nothing that would end a long statement.
/// The first lines are those of `pg_dump`.
pub(super) const SESSION: &str = "
set datestyle = 'ISO';
set intervalstyle = 'postgres';
set extra_float_digits = 3;
set bytea_output = 'hex';
set timezone = 'UTC';
set standard_conforming_strings = on;
set default_transaction_isolation = 'read committed';
set default_transaction_read_only = off;
set statement_timeout = 0;
set lock_timeout = 0;
set idle_in_transaction_session_timeout = 0;
select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'";

/// Only one moves slots to or from a database at a time. The lock belongs to the connection, and ends with it.
pub(super) const LOCK: &str = "select pg_try_advisory_lock(1953656688, 4)";

/// Who holds the lock of `tropos_hold`: transactions that may have written before the mark was there.
pub(super) const WRITERS: &str = "
select virtualtransaction, coalesce(pid, 0) from pg_locks
where locktype = 'advisory' and classid = 1953656688 and objid = 1 and objsubid = 2 and granted
  and database = (select oid from pg_database where datname = current_database())
  and pid is distinct from pg_backend_pid()";

/// Who keeps a mark waiting: transactions of a stricter level have locked the row of their slots.
pub(super) const HOLDERS: &str = "
select distinct coalesce(pid, 0) from pg_locks
where relation = 'tropos_slots'::regclass and granted and mode <> 'AccessShareLock'
  and database = (select oid from pg_database where datname = current_database())
  and pid is distinct from pg_backend_pid()";

/// Of how many replicas this role is told nothing; how many of the others have yet to store and to replay what is in the
/// log up to a position; and the role. One that has just come, and has said nothing yet, counts as behind, in whatever
/// state it is. Who answers without a position, as `pg_receivewal` does, replays nothing, and is not waited for; neither
/// is a copy of the whole database that is under way.
pub(super) const BEHIND: &str = "
select count(*) filter (where state is null),
       count(*) filter (where state <> 'backup'
         and (reply_time is null or least(flush_lsn, replay_lsn) < $1::pg_lsn)),
       quote_ident(current_user)
from pg_stat_replication";

impl Table {
    /// Of which rows a statement is: those of the slots, after one key and up to another.
    fn rows(&self, slots: &SlotRanges, after: Option<&str>, last: Option<&str>) -> String {
        let slot = format!("tropos_slot(t.{}::text)", self.key);
        let ranges: Vec<_> =
            slots.iter().map(|(first, last)| format!("{slot} between {first} and {last}")).collect();
        let mut rows = format!("({})", ranges.join(" or "));
        if let Some(after) = after {
            rows.push_str(&format!(" and ({}) > ({after})", self.primary()));
        }
        if let Some(last) = last {
            rows.push_str(&format!(" and ({}) <= ({last})", self.primary()));
        }
        rows
    }

    fn primary(&self) -> String {
        self.primary.iter().map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ")
    }

    fn columns(&self) -> String {
        self.columns.iter().map(|(column, _)| format!("t.{column}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether there is a row of these slots.
    pub(super) fn any(&self, slots: &SlotRanges) -> String {
        format!("select exists (select from {} t where {})", self.name, self.rows(slots, None, None))
    }

    /// The key of the last row of a batch, as literals; no row at the end of the table.
    pub(super) fn last_of_batch(&self, slots: &SlotRanges, after: Option<&str>, most: u32) -> String {
        // Rows that refer to each other go at once: the references are checked at the end of a statement.
        let limit = if self.refers_to_itself { String::new() } else { format!(" limit {most}") };
        let literals: Vec<_> =
            self.primary.iter().map(|column| format!("quote_literal(t.{column}::text)")).collect();
        let falling: Vec<_> = self.primary.iter().map(|column| format!("t.{column} desc")).collect();
        format!(
            "select concat_ws(', ', {literals}) from (select {primary} from {name} t where {rows} order by \
             {primary}{limit}) t order by {falling} limit 1",
            literals = literals.join(", "),
            falling = falling.join(", "),
            primary = self.primary(),
            name = self.name,
            rows = self.rows(slots, after, None),
        )
    }

    /// Hands a batch out.
    pub(super) fn copy_out(&self, slots: &SlotRanges, after: Option<&str>, last: &str) -> String {
        let rows = self.rows(slots, after, Some(last));
        format!(
            "copy (select {} from {} t where {rows} order by {}) to stdout",
            self.columns(),
            self.name,
            self.primary()
        )
    }

    /// Takes it in, also into identity columns, which `copy` writes as given.
    pub(super) fn copy_in(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(|(column, _)| column.as_str()).collect();
        format!("copy {} ({}) from stdin", self.name, columns.join(", "))
    }

    /// Deletes a batch.
    pub(super) fn delete(&self, slots: &SlotRanges, after: Option<&str>, last: &str) -> String {
        format!("delete from {} t where {}", self.name, self.rows(slots, after, Some(last)))
    }

    /// How many rows there are, and a sum of 60 bits of the hash of each, which is the same in any order.
    pub(super) fn digest(&self, slots: &SlotRanges) -> String {
        format!(
            "select count(*), coalesce(sum(('x' || substr(encode(sha256(convert_to(row({})::text, 'UTF8')), 'hex'), 1, \
             15))::bit(60)::bigint), 0)::text from {} t where {}",
            self.columns(),
            self.name,
            self.rows(slots, None, None)
        )
    }

    /// Raises the sequences that number a column of this table to what has been copied, and never lowers one.
    pub(super) fn raise_sequence(&self, column: &str) -> String {
        let name = self.name.replace('\'', "''");
        let bare = column.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
        let bare = bare.map_or_else(|| column.to_owned(), |c| c.replace("\"\"", "\"")).replace('\'', "''");
        let sequence = format!("pg_get_serial_sequence('{name}', '{bare}')::regclass");
        format!(
            "select setval({sequence}, highest) from (select max({column}) as highest from {table}) t where highest > \
             coalesce(pg_sequence_last_value({sequence}), 0)",
            table = self.name,
        )
    }
}

/// The columns of a table that a sequence of their own numbers.
pub(super) const NUMBERED: &str = "
select quote_ident(a.attname) from pg_attribute a
where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped
  and pg_get_serial_sequence($1, a.attname) is not null";

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "public.orders".to_owned(),
            key: "\"Customer\"".to_owned(),
            columns: vec![
                ("\"Customer\"".to_owned(), "uuid".to_owned()),
                ("id".to_owned(), "bigint".to_owned()),
            ],
            primary: vec!["\"Customer\"".to_owned(), "id".to_owned()],
            refers_to_itself: false,
        }
    }

    #[test]
    fn a_batch_is_the_rows_of_the_slots_between_two_keys() {
        let slots = "0-9, 12".parse().unwrap();
        let within = "(tropos_slot(t.\"Customer\"::text) between 0 and 9 or tropos_slot(t.\"Customer\"::text) between 12 and 12)";
        assert_eq!(
            table().copy_out(&slots, Some("'a', '1'"), "'b', '2'"),
            format!(
                "copy (select t.\"Customer\", t.id from public.orders t where {within} and (t.\"Customer\", t.id) > ('a', '1') \
                 and (t.\"Customer\", t.id) <= ('b', '2') order by t.\"Customer\", t.id) to stdout"
            )
        );
        assert_eq!(
            table().delete(&slots, None, "'b', '2'"),
            format!("delete from public.orders t where {within} and (t.\"Customer\", t.id) <= ('b', '2')")
        );
    }

    #[test]
    fn rows_that_refer_to_each_other_are_one_batch() {
        let slots = SlotRanges::all();
        assert!(table().last_of_batch(&slots, None, 5).contains(" limit 5)"));
        let table = Table { refers_to_itself: true, ..table() };
        assert!(!table.last_of_batch(&slots, None, 5).contains("limit 5"));
    }

    #[test]
    fn a_column_of_a_sequence_is_named_as_the_function_wants_it() {
        let sql = table().raise_sequence("\"It's \"\"one\"\"\"");
        assert!(sql.contains("pg_get_serial_sequence('public.orders', 'It''s \"one\"')"), "{sql}");
        assert!(sql.contains("max(\"It's \"\"one\"\"\")"), "{sql}");
    }
}
