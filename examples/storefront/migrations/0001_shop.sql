-- The shop, for SQLite and PostgreSQL alike.
-- Whole numbers throughout: money in cents, colour coordinates times 1000 (see data/README.md). Sums and times are `bigint`:
-- an `integer` of PostgreSQL ends at 2,147,483,647. SQLite takes both for the same.

create table product (
    id          integer primary key,            -- 1.. in the order of data/colors.csv
    slug        text    not null unique,
    name        text    not null,
    name_key    text    not null,               -- name without accents, lower case: for search
    hex         text    not null,               -- '#rrggbb'
    family      text    not null,
    lightness   integer not null,               -- OKLab L x 1000
    lab_a       integer not null,               -- OKLab a x 1000
    lab_b       integer not null,               -- OKLab b x 1000
    chroma      integer not null,               -- OKLCH C x 1000
    hue         integer not null,               -- OKLCH h in whole degrees, 0..359
    finish      text    not null check (finish in ('matt', 'eggshell', 'gloss')),
    description text    not null,
    price_cents integer not null check (price_cents > 0),
    stock       integer not null check (stock >= 0),
    sold        integer not null default 0 check (sold >= 0),
    changed_at  bigint  not null default 0      -- Unix milliseconds of the last change of price or stock
);

-- A category page in each of its orders.
create index product_family_light on product (family, lightness desc, id);
create index product_family_hue   on product (family, hue, id);
create index product_family_sold  on product (family, sold desc, id);
create index product_family_price on product (family, price_cents, id);
create index product_family_name  on product (family, name_key, id);
-- Best sellers, the board, and search by prefix:
-- name_key >= 'mo' and name_key < 'mp' uses the index on both databases.
create index product_sold    on product (sold desc, id);
create index product_changed on product (changed_at desc, id);
create index product_name    on product (name_key);
-- Near colours: a window of lightness, then by distance.
--   select slug, name, hex from product
--    where lightness between $1 - 60 and $1 + 60 and id <> $4
--    order by (lightness - $1) * (lightness - $1) + (lab_a - $2) * (lab_a - $2) + (lab_b - $3) * (lab_b - $3), id
--    limit 6
create index product_lab on product (lightness, lab_a, lab_b);

create table basket (
    visitor    text    not null,                -- opaque id from the visitor's cookie
    product_id integer not null references product (id) on delete cascade,
    quantity   integer not null check (quantity between 1 and 99),
    added_at   bigint  not null,
    primary key (visitor, product_id)
);

create table orders (
    id          integer primary key,            -- the shop's own number, see `counter`
    visitor     text    not null,
    name        text    not null,
    email       text    not null,
    address     text    not null,
    finish      text    not null default 'as-mixed'
                check (finish in ('as-mixed', 'matt', 'eggshell', 'gloss')),
    tins        integer not null check (tins > 0),
    total_cents bigint  not null check (total_cents >= 0),
    placed_at   bigint  not null
);

-- Numbers without gaps: who takes one holds the row until the order is placed, and gives it back where it is not. A sequence
-- would leave a gap then, and `max(id) + 1` gives one number to two orders.
create table counter (
    name  text    primary key,
    value integer not null                      -- the last one that was given
);

insert into counter (name, value) values ('orders', 1000);

create index orders_placed  on orders (placed_at desc);
create index orders_visitor on orders (visitor, placed_at desc);

create table order_line (
    order_id    integer not null references orders (id) on delete cascade,
    product_id  integer not null references product (id),
    quantity    integer not null check (quantity > 0),
    price_cents integer not null,               -- the price on the day
    primary key (order_id, product_id)
);

create index order_line_product on order_line (product_id);
