//! Which files a target has, and what to do with them (pure).

use super::{context::Context, mark, observability};
use crate::{Error, args::Target};
use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};

/// A file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) path: String,
    /// Whether the path begins in the workspace's folder, or in the package's.
    pub(super) in_workspace: bool,
    pub(super) text: String,
}

/// In the place of the line that [`mark::sign`] writes.
const MARK: &str = "@mark@";

/// Their paths, whether these begin in the workspace's folder, and their templates.
pub(super) type Template = (String, bool, &'static str);

fn templates(target: Target, name: &str) -> Vec<Template> {
    let container = || {
        vec![
            ("Dockerfile".to_owned(), true, include_str!("templates/Dockerfile")),
            (".dockerignore".to_owned(), true, include_str!("templates/dockerignore")),
        ]
    };
    match target {
        Target::Container => container(),
        Target::Compose => {
            let mut all = container();
            all.push(("compose.yaml".to_owned(), true, include_str!("templates/compose.yaml")));
            all.push((".env.example".to_owned(), true, include_str!("templates/env.example")));
            all
        }
        Target::Systemd => vec![
            (format!("deploy/systemd/{name}.service"), false, include_str!("templates/unit.service")),
            (format!("deploy/systemd/{name}.env"), false, include_str!("templates/unit.env")),
        ],
        Target::Nginx => {
            vec![(format!("deploy/nginx/{name}.conf"), false, include_str!("templates/nginx.conf"))]
        }
        Target::Observability => observability::templates(),
    }
}

/// The files of a target.
///
/// # Errors
/// [`Error::Template`].
pub(super) fn of(target: Target, facts: &Context) -> Result<Vec<Rendered>, Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    if target == Target::Observability {
        // Both programs have templates of their own, in braces.
        syntax.block_delimiters("<%", "%>").variable_delimiters("<<", ">>").comment_delimiters("<#", "#>");
    }
    environment.set_syntax(syntax.build().map_err(unfit("the syntax"))?);
    let (classes, budgets) = observability::objectives();
    let render = |(path, in_workspace, template): Template| {
        let values = context! {
            mark => MARK,
            name => &facts.name,
            id => &facts.id,
            domain => &facts.domain,
            rust => &facts.rust,
            install => facts.install,
            install_words => &facts.install_words,
            folder => &facts.folder,
            page_cache => facts.page_cache,
            health => facts.health,
            classes => &classes,
            budgets => &budgets,
        };
        let text = environment.render_str(template, values).map_err(unfit(&path))?;
        // A file of two targets is the same whichever wrote it.
        let by = if path.starts_with("deploy/") || !path.contains("ocker") {
            target.name()
        } else {
            Target::Container.name()
        };
        Ok(Rendered {
            path,
            in_workspace,
            text: mark::sign(&text, MARK, &format!("cargo tropos deploy {by}")),
        })
    };
    templates(target, &facts.name).into_iter().map(render).collect()
}

fn unfit(name: &str) -> impl FnOnce(minijinja::Error) -> Error {
    let name = name.to_owned();
    move |source| Error::Template { name, source: Box::new(source) }
}

/// What to do next, a line for each step.
pub(super) fn next(target: Target, facts: &Context) -> Vec<String> {
    let Context { name, domain, .. } = facts;
    let mut steps = Vec::new();
    if facts.is_domain_guessed && target != Target::Observability {
        steps.push(format!("{domain} is a stand-in: --domain names yours"));
    }
    if facts.install == "outside" && matches!(target, Target::Container | Target::Compose) {
        steps.push("the application takes tropos from a folder outside of its workspace, which a container build does not see: \
             take it by version or from a repository, and run this again".to_owned());
    }
    let more: Vec<String> = match target {
        Target::Container => vec![
            format!("docker build -t {name} ."),
            format!(
                "docker run --rm -p 127.0.0.1:3000:3000 -v {name}:/var/lib/{name} -e TROPOS_ORIGIN=https://{domain} {name}"
            ),
        ],
        Target::Compose => vec![
            "cp .env.example .env; chmod 600 .env; fill it in, and keep it out of the repository".into(),
            "docker compose up --build --detach".into(),
            "cargo tropos deploy nginx, for TLS before it".into(),
        ],
        Target::Systemd => vec![
            "cargo tropos build".into(),
            format!("copy dist/, and tropos.toml where there is one, to /srv/{name} on the server"),
            format!("sudo install -Dm600 deploy/systemd/{name}.env /etc/{name}/env, and fill it in"),
            format!("sudo install -Dm644 deploy/systemd/{name}.service /etc/systemd/system/{name}.service"),
            format!("sudo systemctl daemon-reload && sudo systemctl enable --now {name}"),
            "curl --fail http://127.0.0.1:3001/readyz".into(),
        ],
        Target::Nginx => vec![
            format!("get a certificate: certbot certonly --webroot -w /var/www/html -d {domain}"),
            format!("sudo install -Dm644 deploy/nginx/{name}.conf /etc/nginx/conf.d/{name}.conf"),
            "sudo nginx -t && sudo nginx -s reload".into(),
            format!("set TROPOS_ORIGIN=https://{domain} for the server"),
        ],
        Target::Observability => vec![
            "promtool check rules deploy/observability/rules.yaml".into(),
            "promtool test rules deploy/observability/rules.test.yaml deploy/observability/rules.day.test.yaml".into(),
            "name rules.yaml under `rule_files` of Prometheus, and the admin listener of each instance as a target: prometheus.yaml is a beginning".into(),
            "import deploy/observability/dashboards/*.json into Grafana, or provision them".into(),
            "send the alerts somewhere: `severity` is page or ticket".into(),
        ],
    };
    steps.extend(more);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum as _;

    fn facts(page_cache: bool, install: &'static str) -> Context {
        Context {
            name: "my-shop".into(),
            id: "my_shop".into(),
            domain: "shop.example".into(),
            is_domain_guessed: false,
            rust: "1.95".into(),
            install,
            install_words: "cargo-tropos --version 1.2.3".into(),
            folder: "apps/shop/".into(),
            page_cache,
            health: "true",
            root: "/".into(),
        }
    }

    #[test]
    fn each_file_of_each_target_is_whole_signed_and_clean() {
        for target in Target::value_variants() {
            for (page_cache, install) in
                [(false, "registry"), (true, "path"), (false, "git"), (true, "outside")]
            {
                for file in of(*target, &facts(page_cache, install)).unwrap() {
                    let Rendered { path, text, .. } = &file;
                    assert!(mark::is_untouched(text), "{path}");
                    let left = match target {
                        Target::Observability => ["<<", "<%"],
                        _ => ["{{", "{%"],
                    };
                    for left in left.into_iter().chain([MARK, " \n", "\n\n\n"]) {
                        assert!(!text.contains(left), "{path}: {left:?} in\n{text}");
                    }
                    assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_file_of_two_targets_is_the_same_whichever_wrote_it() {
        let of = |target| of(target, &facts(false, "registry")).unwrap();
        let compose = of(Target::Compose);
        for file in of(Target::Container) {
            assert!(compose.contains(&file), "{}", file.path);
        }
    }

    #[test]
    fn the_command_is_installed_before_the_sources_unless_it_is_one_of_them() {
        let dockerfile = |install| of(Target::Container, &facts(false, install)).unwrap().remove(0).text;
        let place = |text: &str, what: &str| text.find(what).unwrap();
        for (install, before) in [("registry", true), ("git", true), ("path", false)] {
            let text = dockerfile(install);
            assert!(
                text.starts_with("# syntax=docker/dockerfile:1\n# Written by"),
                "the directive must come first"
            );
            assert_eq!(place(&text, "cargo install") < place(&text, "COPY . ."), before, "{install}");
            assert_eq!(text.matches("cargo install").count(), 1, "{install}");
        }
    }

    #[test]
    fn a_workspace_that_does_not_hold_tropos_is_told_that_a_container_cannot_be_built() {
        assert!(next(Target::Container, &facts(false, "outside"))[0].contains("outside of its workspace"));
        assert!(!next(Target::Systemd, &facts(false, "outside"))[0].contains("outside"));
    }
}
