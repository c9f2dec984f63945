-- Notes, for SQLite and PostgreSQL alike. The server applies what is missing when it starts.

create table note (
    slug       text   primary key,       -- of the title, as the address has it
    title      text   not null,
    text       text   not null,
    author     text   not null,
    likes      bigint not null default 0,
    written_at bigint not null           -- milliseconds since 1970: a type that both databases have
);

create index note_written on note (written_at);
