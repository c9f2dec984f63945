//! A stored page behind five hooks, beside the same page behind none.

use crate::{
    server::{NAMES, Started},
    turns::Turns,
};
use tropos_cases::check::Problem;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    turns: Turns,
    /// Each hook alone too
    #[arg(long)]
    each: bool,
}

/// Measures, and gives the table.
///
/// # Errors
/// Where wrk is missing, or a server does not start or answers with an error.
pub(crate) async fn run(options: &Options) -> Result<String, Problem> {
    let mut report = options.turns.report(["none", "hooks"]);
    let none = Started::start(&[]).await?;
    let each = NAMES.iter().filter(|_| options.each).map(|name| ((*name).to_owned(), vec![*name]));
    for (name, hooks) in each.chain([("five hooks".to_owned(), NAMES.to_vec())]) {
        let hooked = Started::start(&hooks).await?;
        report.compare(name, "/page", &none, &hooked).await?;
        hooked.stop().await?;
    }
    none.stop().await?;
    report.finish()
}
