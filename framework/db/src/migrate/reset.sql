-- Somebody who reads or writes keeps a schema from being dropped. Half a minute, so that a running application is
-- named by an error instead of being waited for.
set local lock_timeout = '30s';

do $tropos$
declare
    home name := current_schema();
    doomed name;
    again text;
    grants text[];
begin
    -- Who may use the schema is no part of what migrations make.
    select array_agg(format('grant %s on schema %I to %s', privilege_type, nspname,
               case grantee when 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end))
        into grants
        from pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
        where nspname = home;
    for doomed in
        select nspname from pg_namespace
            where nspname !~ '^pg_' and nspname <> 'information_schema'
                and (nspname = home or pg_has_role(nspowner, 'usage'))
                and not exists (select from pg_depend
                    where classid = 'pg_namespace'::regclass and objid = pg_namespace.oid and deptype = 'e')
    loop
        execute format('drop schema %I cascade', doomed);
    end loop;
    if home is not null then
        execute format('create schema %I', home);
        foreach again in array coalesce(grants, '{}') loop
            execute again;
        end loop;
    end if;
end
$tropos$;
