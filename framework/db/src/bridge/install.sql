-- What Tropos needs in a database so that any writer of it invalidates tags: a table of changes, and the functions
-- tropos.watch and tropos.unwatch. May be run any number of times. For PostgreSQL 12 and later.

-- Ten instances may install at once; `create or replace` alone would let one of them fail.
select pg_catalog.pg_advisory_xact_lock(8390876208001);

create schema if not exists tropos;

-- Changes that no bridge has taken yet. Logged, since it must outlive a crash as the change itself does.
create table if not exists tropos.changes (
    id bigint generated always as identity primary key,
    template text not null,
    columns jsonb not null,
    recorded timestamptz not null default clock_timestamp()
) with (
    -- Rows come and go: vacuumed by their number, not by a share of a table that is empty most of the time.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000
);

-- The columns that a template names between braces, each once.
create or replace function tropos.columns_of(template text) returns text[]
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $function$
declare
    names text[];
begin
    if template is null or template = '' then
        raise exception 'tropos.watch: a tag has no name'
            using errcode = 'invalid_parameter_value', hint = 'Name the data, such as products or product-{id}.';
    end if;
    if regexp_replace(template, '\{[^{}]+\}', '', 'g') ~ '[{}]' then
        raise exception 'tropos.watch: the tag % has a brace without its other, or nothing between the two',
            quote_literal(template)
            using errcode = 'invalid_parameter_value',
                hint = 'Between braces stands the name of one column, such as product-{id}.';
    end if;
    names := array(select distinct place[1] from regexp_matches(template, '\{([^{}]+)\}', 'g') as place order by 1);
    if cardinality(names) > 16 then
        raise exception 'tropos.watch: the tag % names more than 16 columns', quote_literal(template)
            using errcode = 'invalid_parameter_value', hint = 'Name the columns that identify the data.';
    end if;
    return names;
end
$function$;

-- A row as JSON that can be read. Of a column of type json it may hold what JSON can say and text cannot, and what reads
-- another column of it would fail.
create or replace function tropos.legible(changed json) returns json
    language sql immutable
as $function$
    select case pg_catalog.strpos(changed::pg_catalog.text, '\u0000')
        when 0 then changed
        else pg_catalog.replace(changed::pg_catalog.text, '\u0000', '\u0001')::pg_catalog.json
    end
$function$;

-- What a row makes of templates: each that has a value for all its columns, with these values. `lists` has the columns of each
-- template, written as an array.
create or replace function tropos.filled(changed json, templates text[], lists text[])
    returns table (template text, columns jsonb)
    -- In SQL and without settings of its own, so that it becomes a part of the statement that calls it.
    language sql immutable
as $function$
    select named.template, of_row.columns
    from rows from (pg_catalog.unnest(templates), pg_catalog.unnest(lists)) as named (template, list)
    cross join lateral (
        select
            coalesce(pg_catalog.jsonb_object_agg(place, changed operator(pg_catalog.->>) place), '{}') as columns,
            pg_catalog.count(*) filter (where changed operator(pg_catalog.->>) place is null) as nulls
        from pg_catalog.unnest(named.list::pg_catalog.text[]) as place
    ) as of_row
    -- No tag is made of null: what is read by a column that is null is read by another name.
    where of_row.nulls = 0
$function$;

-- Fired once for each statement that writes a watched table, whatever role it runs under: so it runs under that of its
-- owner, and nobody else may make triggers of it (see the end).
--
-- Its arguments: each template, followed by its columns, written as an array. Its statements are static, so that they are
-- planned once in a session: planning takes longer than all the rest.
create or replace function tropos.record() returns trigger
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp
    -- One text for one value, however the writer's session spells them.
    set timezone = 'UTC'
    set datestyle = 'ISO, YMD'
    set intervalstyle = 'iso_8601'
    set bytea_output = 'hex'
    set extra_float_digits = 1
as $function$
-- Whatever the columns of the table are called.
#variable_conflict use_variable
declare
    templates text[] := '{}';
    lists text[] := '{}';
    missing text;
    recorded bigint;
begin
    for n in 0 .. tg_nargs - 1 by 2 loop
        templates := templates || tg_argv[n];
        lists := lists || tg_argv[n + 1];
    end loop;
    -- A column that was renamed would read as null, and nobody would hear of its changes any more.
    select place into missing
    from unnest(lists) as list, unnest(list::text[]) as place
    where not exists (
        select from pg_attribute
        where attrelid = tg_relid and attname = place::name and attnum > 0 and not attisdropped
    ) limit 1;
    if found then
        raise exception 'tropos.watch: % has no column % any more, which its tags name', tg_relid::regclass, quote_ident(missing)
            using errcode = 'undefined_column',
                hint = 'Call tropos.watch again, with the columns as they are called now; best in the migration that renames them.';
    end if;
    -- `offset 0`: the row is made once, however often it is read.
    if tg_op = 'INSERT' then
        insert into tropos.changes (template, columns)
        select distinct filled.template, filled.columns
        from (select tropos.legible(to_json(r.*)) as row from tropos_new as r offset 0) as changed,
            tropos.filled(changed.row, templates, lists) as filled;
    elsif tg_op = 'DELETE' then
        insert into tropos.changes (template, columns)
        select distinct filled.template, filled.columns
        from (select tropos.legible(to_json(r.*)) as row from tropos_old as r offset 0) as changed,
            tropos.filled(changed.row, templates, lists) as filled;
    elsif tg_op = 'UPDATE' then
        -- A row that is written as it was is among the old and the new alike, and cancels out. Compared by the text of
        -- the whole row, since not every type has an equality; by its hash, so that wide rows need no more memory.
        insert into tropos.changes (template, columns)
        select distinct filled.template, filled.columns
        from (
            select tropos.legible((array_agg(row))[1]) as row
            from (
                select to_json(r.*) as row, sha256(convert_to((r.*)::text, 'UTF8')) as version, 1 as side from tropos_old as r
                union all
                select to_json(r.*), sha256(convert_to((r.*)::text, 'UTF8')), -1 from tropos_new as r
            ) as sides
            group by version having sum(side) <> 0
        ) as changed, tropos.filled(changed.row, templates, lists) as filled;
    else
        -- Before it is truncated.
        execute format(
            'insert into tropos.changes (template, columns) select distinct filled.template, filled.columns '
            'from (select tropos.legible(to_json(r.*)) as row from %s as r offset 0) as changed, '
            'tropos.filled(changed.row, $1, $2) as filled', tg_relid::regclass) using templates, lists;
    end if;
    get diagnostics recorded = row_count;
    -- A hint alone: a bridge that misses it looks by itself every few seconds.
    if recorded > 0 and current_setting('tropos.hints', true) is distinct from 'off' then
        perform pg_notify('tropos_changes', '');
    end if;
    return null;
end
$function$;

-- Has nothing of a table recorded any more.
create or replace function tropos.unwatch(watched regclass) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
    -- Not a word on triggers that are not there.
    set client_min_messages = warning
as $function$
declare
    part regclass;
    operation text;
begin
    for part in select watched union select relid from pg_partition_tree(watched) loop
        foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
            execute format('drop trigger if exists %I on %s', 'tropos_' || operation, part);
        end loop;
    end loop;
end
$function$;

-- Has every change of a table recorded, as the tags that it outdates: select tropos.watch('product', 'product-{id}', 'products').
-- Takes the place of an earlier watch of that table.
create or replace function tropos.watch(watched regclass, variadic templates text[]) returns void
    language plpgsql
    set search_path = pg_catalog, pg_temp
as $function$
declare
    kind text := (select relkind from pg_class where oid = watched);
    columns text[];
    place text;
    template text;
    arguments text;
    part regclass;
begin
    if kind is null or kind not in ('r', 'p') then
        raise exception 'tropos.watch: % is not a table', coalesce(watched::text, 'null')
            using errcode = 'wrong_object_type', hint = 'Watch the tables that a view reads.';
    end if;
    if coalesce(cardinality(templates), 0) not between 1 and 32 then
        raise exception 'tropos.watch: % is watched for no tag at all, or for more than 32', watched
            using errcode = 'invalid_parameter_value',
                hint = 'Name the tags after the table, such as product-{id}; tropos.unwatch ends the watch.';
    end if;
    foreach template in array templates loop
        columns := tropos.columns_of(template);
        foreach place in array columns loop
            if not exists (
                select from pg_attribute
                where attrelid = watched and attname = place and attnum > 0 and not attisdropped
            ) then
                raise exception 'tropos.watch: % has no column %, which the tag % names',
                    watched, quote_ident(place), quote_literal(template)
                    using errcode = 'undefined_column', hint = 'Between braces stands the name of a column, as it is stored.';
            end if;
        end loop;
        arguments := concat_ws(', ', arguments, quote_literal(template), quote_literal(columns::text));
    end loop;
    perform tropos.unwatch(watched);
    -- Triggers for a statement fire on the table that it names, so each partition has its own.
    for part in select watched union select relid from pg_partition_tree(watched) loop
        execute format('create trigger tropos_insert after insert on %s referencing new table as tropos_new '
            'for each statement execute function tropos.record(%s)', part, arguments);
        execute format('create trigger tropos_update after update on %s referencing old table as tropos_old '
            'new table as tropos_new for each statement execute function tropos.record(%s)', part, arguments);
        execute format('create trigger tropos_delete after delete on %s referencing old table as tropos_old '
            'for each statement execute function tropos.record(%s)', part, arguments);
        -- Before, while the rows are there to be named.
        execute format('create trigger tropos_truncate before truncate on %s '
            'for each statement execute function tropos.record(%s)', part, arguments);
    end loop;
end
$function$;

-- Whoever may make a trigger of tropos.record has rows recorded under its owner's rights.
revoke all on function tropos.record() from public;
