//! What is sent before the data is there.

use super::cases;
use crate::{
    check::{Outcome, that},
    client::Request,
    context::Context,
    upstream::default_value,
};
use std::time::Duration;
use tokio::time::sleep;

cases! {
    - "a streamed page sends its shell before its data has come, and the value afterwards" => shell_first;
    - "a streamed page has the value also when its data is there at once" => fast_data;
}

async fn shell_first(c: Context) -> Outcome {
    let key = c.key("stream");
    let read = format!("stream-{key}");
    c.upstream.set(&read, "late value");
    let gate = c.upstream.hold(&read);
    let mut answer = c.http.open(&Request::get(&format!("/stream/{key}"))).await?;
    answer.head.is(200)?.is_private()?.cache("tropos; fwd=bypass; detail=server")?;
    let shell =
        answer.until(Duration::from_secs(3), |page| page.text().to_lowercase().contains("<body")).await?;
    that(shell, format!("no shell within 3 s; the body so far: {:?}", answer.head.text()))?;
    that(c.upstream.called(&read, 1).await, "the value was never asked for")?;
    sleep(Duration::from_millis(100)).await;
    that(!answer.head.text().contains("late value"), "the value came before the data source had answered")?;
    gate.release();
    answer.finish().await?.shows("late value")?;
    Ok(())
}

async fn fast_data(c: Context) -> Outcome {
    let key = c.key("stream");
    c.get(&format!("/stream/{key}")).await?.shows(&default_value(&format!("stream-{key}")))?;
    Ok(())
}
