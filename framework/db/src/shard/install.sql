-- The fence of a shard: which slots this database owns, and a trigger on each sharded table that refuses to write rows
-- of any other. Written by Tropos; may be run again at any time, and by many at once.

-- One at a time: two that replace a function at once would fail.
select pg_advisory_xact_lock(1953656688, 2);

-- Every function remembers this schema and looks nowhere else: least of all for a temporary table of the same name.
select set_config('tropos.path', current_setting('search_path'), true),
       set_config('search_path', format('%I, pg_temp', current_schema()), true);

-- What this database is called in the configuration; there once its slots have been claimed.
create table if not exists tropos_shard (
  name text not null,
  the_only_row boolean primary key default true check (the_only_row)
);

-- Slots that are in no range here are on another shard.
--   owned   written here
--   moving  written nowhere: they are being copied to `peer`
--   coming  the same slots at the side that they are copied to; `peer` is where they come from
--   gone    written at `peer`; what is left of them here is of the past
create table if not exists tropos_slots (
  first int not null check (first between 0 and 16383),
  last int not null check (last between first and 16383),
  state text not null check (state in ('owned', 'moving', 'coming', 'gone')),
  peer text,
  constraint tropos_slots_are_disjoint exclude using gist (int4range(first, last, '[]') with &&)
);

-- The sharded tables, parents before the tables that refer to them.
create table if not exists tropos_tables (
  tbl regclass primary key,
  key name not null,
  place int generated always as identity
);

-- How far the copy of coming slots is: the last primary key of each table, as SQL literals.
create table if not exists tropos_copied (
  slots text not null,
  tbl text not null,
  after text,
  rows bigint not null default 0,
  done boolean not null default false,
  primary key (slots, tbl)
);

-- CRC16 (XMODEM) modulo 16384, as Redis Cluster has it but without hash tags. `tropos_db::shard::slot_of` is the same.
create or replace function tropos_slot(key text) returns int
language plpgsql immutable strict parallel safe as $$
declare
  bytes bytea := convert_to(key, 'UTF8');
  crc int := 0;
  x int;
begin
  for i in 0 .. length(bytes) - 1 loop
    x := (crc >> 8) # get_byte(bytes, i);
    x := x # (x >> 4);
    crc := ((crc << 8) # (x << 12) # (x << 5) # x) & 65535;
  end loop;
  return crc & 16383;
end
$$;

-- Refuses unless this database owns the slot, and then keeps it from being moved until the transaction ends.
create or replace function tropos_hold(slot int) returns void
language plpgsql volatile security definer set search_path from current as $$
declare
  held text;
  other text;
begin
  if slot is null then
    raise exception 'the key of a sharded row is null: give it a value' using errcode = 'not_null_violation';
  end if;
  -- First the lock, then the look. Who moves slots says so first, and waits then for all that hold the lock: so either
  -- this transaction is waited for, or it sees what was said.
  perform pg_advisory_xact_lock_shared(1953656688, 1);
  if current_setting('transaction_isolation') in ('read committed', 'read uncommitted') then
    select s.state, s.peer into held, other from tropos_slots s where slot between s.first and s.last;
  else
    -- The snapshot may be older than what was said. To lock the row fails then (40001).
    select s.state, s.peer into held, other from tropos_slots s where slot between s.first and s.last for share;
  end if;
  if held = 'owned' then
    return;
  end if;
  -- What moves the slots itself.
  if (held, current_setting('tropos.mover', true)) in (('coming', 'copy'), ('gone', 'clean')) then
    return;
  end if;
  if held in ('moving', 'coming') then
    raise exception 'slot % is being moved between this shard and `%`: try again', slot, other
      using errcode = 'TS001', hint = 'Nobody can write it until the move is done; it can be read.';
  end if;
  raise exception 'slot % is not on this shard%', slot, coalesce(': it has moved to `' || other || '`', '')
    using errcode = 'TS002', hint = 'Try again. This instance may have an old slot map.';
end
$$;

-- Changes what is said of some slots, all of which must be in state `was` (null: in none) before.
create or replace function tropos_mark(low int, high int, was text, becomes text, other text) returns void
language plpgsql volatile set search_path from current as $$
declare
  known bigint;
  touched tropos_slots[];
begin
  if low > high or low < 0 or high > 16383 then
    raise exception 'slots %-% do not exist', low, high;
  end if;
  lock table tropos_slots in share row exclusive mode;
  select coalesce(sum(least(last, high) - greatest(first, low) + 1), 0) into known
    from tropos_slots where last >= low and first <= high and (was is null or state = was);
  if known <> (case when was is null then 0 else high - low + 1 end) then
    raise exception 'slots %-% are not all %', low, high, coalesce(was, 'elsewhere');
  end if;
  -- What reaches beyond the edges keeps its state there.
  select array_agg(s) into touched from tropos_slots s where last >= low and first <= high;
  delete from tropos_slots where last >= low and first <= high;
  insert into tropos_slots
    select first, low - 1, state, peer from unnest(touched) where first < low
    union all select high + 1, last, state, peer from unnest(touched) where last > high;
  if becomes is null then
    return;
  end if;
  -- Neighbours in the same state become one range again.
  select min(first), max(last) into low, high from (
    select low as first, high as last
    union all select first, last from tropos_slots
      where state = becomes and peer is not distinct from other and (last = low - 1 or first = high + 1)
  ) both_and_between;
  delete from tropos_slots where first >= low and last <= high;
  insert into tropos_slots values (low, high, becomes, other);
end
$$;

-- Puts the fence around a table. The key is the column that decides on the slot; it has to be there in every row.
-- Declare parents before the tables that refer to them: that is the order in which rows are copied.
create or replace function tropos_sharded(tbl regclass, key name) returns void
language plpgsql volatile set search_path from current as $$
declare
  home name;
  title name;
  fence name;
begin
  select n.nspname, c.relname into home, title
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = tbl;
  if not exists (select from pg_attribute a where a.attrelid = tbl and a.attname = key and a.attnum > 0
                 and not a.attisdropped and a.attnotnull and a.attgenerated = '') then
    raise exception '% has no column % that is `not null` and not generated: name the one that decides on the shard', tbl, key;
  end if;
  if not exists (select from pg_index i where i.indrelid = tbl and i.indisprimary) then
    raise exception '% has no primary key: it is needed to copy rows in batches', tbl;
  end if;
  -- A name has room for 63 bytes.
  fence := 'tropos_fence_' || case when length(title) <= 45 then title else left(title, 36) || '_' || left(md5(title), 8) end;
  execute format($body$
    create or replace function %1$I.%2$I() returns trigger language plpgsql as $fence$
    begin
      if tg_op = 'TRUNCATE' then
        perform %3$I.tropos_truncate();
        return null;
      end if;
      if tg_op <> 'INSERT' then
        perform %3$I.tropos_hold(%3$I.tropos_slot(old.%4$I::text));
      end if;
      if tg_op = 'DELETE' then
        return old;
      end if;
      if tg_op = 'INSERT' or new.%4$I is distinct from old.%4$I then
        perform %3$I.tropos_hold(%3$I.tropos_slot(new.%4$I::text));
      end if;
      return new;
    end
    $fence$
  $body$, home, fence, current_schema(), key);
  -- Triggers run in the order of their names: this one is the last, and sees what is written in the end.
  if not exists (select from pg_trigger t where t.tgrelid = tbl and t.tgname = 'zzzz_tropos_fence') then
    execute format('create trigger zzzz_tropos_fence before insert or update or delete on %s '
                   'for each row execute function %I.%I()', tbl, home, fence);
    execute format('create trigger zzzz_tropos_fence_truncate before truncate on %s '
                   'for each statement execute function %I.%I()', tbl, home, fence);
  end if;
  insert into tropos_tables (tbl, key) values (tbl, key)
    on conflict on constraint tropos_tables_pkey do update set key = excluded.key;
end
$$;

-- A table may not be emptied under a copy.
create or replace function tropos_truncate() returns void
language plpgsql volatile security definer set search_path from current as $$
begin
  perform pg_advisory_xact_lock_shared(1953656688, 1);
  if exists (select from tropos_slots where state in ('moving', 'coming')) then
    raise exception 'slots of this shard are being moved: try again'
      using errcode = 'TS001', hint = 'Nobody can write them until the move is done; they can be read.';
  end if;
end
$$;

revoke all on function tropos_mark(int, int, text, text, text) from public;
revoke all on function tropos_sharded(regclass, name) from public;

-- A program knows by this, without any right to what is here, whether it is its own.
comment on function tropos_hold(int) is 'Tropos fence 1';

select set_config('search_path', current_setting('tropos.path'), true);
