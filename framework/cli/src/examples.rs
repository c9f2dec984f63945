//! What `--help` shows last: a line for each thing that people do.

pub(crate) const ALL: &str = "Examples:
  cargo tropos new shop && cd shop              a new application
  cargo tropos dev --open                       from an edit to the page
  cargo tropos build && cargo tropos start      from sources to a server
  cargo tropos revalidate --tag product-42      new data is seen from now on
  cargo tropos explain /products/42             why it would hit or miss
  cargo tropos doctor                           what is wrong, and what mends it

Every command has examples of its own: cargo tropos build --help";

pub(crate) const NEW: &str = "Examples:
  cargo tropos new shop                         asks what it must know
  cargo tropos new shop --yes                   SQLite, plain CSS
  cargo tropos new apps/shop --db postgres --tailwind";

pub(crate) const DEV: &str = "Examples:
  cargo tropos dev --open                       builds, and shows it in the browser
  cargo tropos dev -p shop --port 4000          one of several applications, elsewhere
  cargo tropos dev --console                    with what the browser's console says";

pub(crate) const EXPORT: &str = "Examples:
  cargo tropos export                           export/ beside Cargo.toml
  cargo tropos export --to /srv/www --partial   the `ssg` routes of an application that has others";

pub(crate) const ADVISE: &str = "Examples:
  cargo tropos advise                           by what `cargo tropos dev` has seen
  cargo tropos advise --requests access.log     by yesterday's requests, sent again
  cargo tropos advise --json | jq '.findings[].pattern'";

pub(crate) const BUILD: &str = "Examples:
  cargo tropos build                            dist/ beside Cargo.toml
  cargo tropos build -p shop --out /srv/shop    one of several applications, elsewhere
  cargo tropos build --debug                    quicker, larger, slower";

pub(crate) const START: &str = "Examples:
  cargo tropos start
  TROPOS_ADDR=0.0.0.0:8080 cargo tropos start   elsewhere than on 127.0.0.1:3000";

pub(crate) const ROUTES: &str = "Examples:
  cargo tropos routes
  cargo tropos routes --json | jq -r '.[].pattern'";

pub(crate) const REVALIDATE: &str = "Examples:
  cargo tropos revalidate --tag product-42
  cargo tropos revalidate --prefix /blog --soft   served on while it is made anew
  cargo tropos revalidate --path / --path /about --url https://shop.example";

pub(crate) const EXPLAIN: &str = "Examples:
  cargo tropos explain /products/42
  cargo tropos explain '/search?page=2' --json
  cargo tropos explain / --url 10.0.0.5:3001    the admin listener of another instance";

pub(crate) const DB: &str = "Examples:
  cargo tropos db status
  cargo tropos db migrate
  cargo tropos db reset --yes                   empty, migrated and filled anew";

pub(crate) const MOVE_SLOTS: &str = "Examples:
  cargo tropos db move-slots --slots 0-99 --from a --to b
  cargo tropos db move-slots --slots 0-99 --from a --to b --clean";

pub(crate) const DOCTOR: &str = "Examples:
  cargo tropos doctor
  cargo tropos doctor --fix                     run what mends and does no harm
  cargo tropos doctor --machine                 quick: compile nothing, ask no program
  cargo tropos doctor --instances 5             do five instances' connections fit?
  cargo tropos doctor --json | jq '.findings[] | select(.level == \"problem\")'";

pub(crate) const DEPLOY: &str = "Examples:
  cargo tropos deploy container                 Dockerfile, .dockerignore
  cargo tropos deploy compose                   the same, with PostgreSQL and Redis
  cargo tropos deploy systemd                   a unit for one machine
  cargo tropos deploy nginx --domain shop.example
  cargo tropos deploy observability             alert rules and dashboards";

pub(crate) const COMPLETIONS: &str = "Examples:
  cargo tropos completions bash > ~/.local/share/bash-completion/completions/cargo-tropos
      and in ~/.bashrc: source ~/.local/share/bash-completion/completions/cargo-tropos
  cargo tropos completions zsh > ~/.zfunc/_cargo-tropos
      with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
  cargo tropos completions fish > ~/.config/fish/conf.d/cargo-tropos.fish
  cargo tropos completions powershell >> $PROFILE     completes cargo-tropos alone
  cargo tropos completions elvish >> ~/.config/elvish/rc.elv     completes cargo-tropos alone";
