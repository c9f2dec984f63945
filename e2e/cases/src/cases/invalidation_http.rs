//! The endpoint through which other programs invalidate.

use super::cases;
use crate::{
    check::{Outcome, that},
    context::{Context, revalidation},
    expect::{HIT, RENEWED},
};
use serde_json::{Value, json};

cases! {
    - "each invalidation has a higher sequence number than the one before" => sequence_rises;
    - "one call takes tags, paths and prefixes together" => all_at_once;
    - "without a configured token there is no endpoint" => no_token;
    - "a malformed call is 400 and changes nothing" => malformed;
    - "a thousand names are taken, and more are 413" => too_many;
}

async fn sequence_rises(c: Context) -> Outcome {
    let tag = c.key("sequence");
    let mut last = c.invalidate_tag(&tag).await?;
    for _ in 0..5 {
        let next = c.invalidate_tag(&tag).await?;
        that(next > last, format!("sequence {next} came after {last}"))?;
        last = next;
    }
    Ok(())
}

async fn all_at_once(c: Context) -> Outcome {
    let keys = ["tag", "path", "prefix", "kept"].map(|name| c.key(name));
    for key in &keys {
        c.get(&format!("/demand/{key}")).await?.is(200)?;
        c.upstream.set(&format!("demand-{key}"), "new");
    }
    let [tag, path, prefix, kept] = keys.map(|key| format!("/demand/{key}"));
    let tag_name = tag.trim_start_matches('/').replace('/', "-");
    c.invalidate(json!({ "tags": [tag_name], "paths": [path], "prefixes": [prefix], "soft": false })).await?;
    for path in [tag, path, prefix] {
        c.get(&path).await?.shows("new")?.cache(RENEWED)?;
    }
    c.get(&kept).await?.is(200)?.cache(HIT)?;
    Ok(())
}

async fn no_token(c: Context) -> Outcome {
    let server = c.own_server(None, &[]).await?;
    for token in ["", "any", c.token()] {
        server.http().send(&revalidation(token, "{\"tags\":[\"a\"]}")).await?.is(404)?;
    }
    Ok(())
}

async fn malformed(c: Context) -> Outcome {
    let key = c.key("malformed");
    let path = format!("/demand/{key}");
    let before = c.get(&path).await?;
    c.upstream.set(&format!("demand-{key}"), "new");
    let bodies = [
        String::new(),
        "tags=a".into(),
        "[]".into(),
        "null".into(),
        format!("{{\"tags\":[\"demand-{key}\"]"),
        json!({ "tags": format!("demand-{key}") }).to_string(),
        json!({ "tags": [format!("demand-{key}"), 1] }).to_string(),
        json!({ "tags": [format!("demand-{key}")], "soft": "no" }).to_string(),
        json!({ "tags": [format!("demand-{key}")], "paths": ["demand/a"] }).to_string(),
        json!({ "tags": [format!("demand-{key}")], "paths": ["/a%zz"] }).to_string(),
        json!({ "tags": [format!("demand-{key}")], "prefixes": ["demand"] }).to_string(),
    ];
    for body in bodies {
        let page = c.http.send(&revalidation(c.token(), &body)).await?;
        page.is(400).map_err(|problem| problem.during(&body))?;
        // Who may not ask is not told what is wrong with the question.
        c.http.send(&revalidation("wrong", &body)).await?.is(401)?;
    }
    c.get(&path).await?.same_body(&before)?.cache(HIT)?;
    Ok(())
}

async fn too_many(c: Context) -> Outcome {
    let key = c.key("many");
    let names = |count: usize, prefix: &str| -> Vec<Value> {
        (0..count).map(|number| json!(format!("{prefix}{key}-{number}"))).collect()
    };
    c.revalidate(&json!({ "tags": names(1000, "") })).await?.is(200)?;
    c.revalidate(&json!({ "tags": names(1001, "") })).await?.is(413)?;
    let mixed = json!({ "tags": names(500, ""), "paths": names(500, "/"), "prefixes": names(1, "/") });
    c.revalidate(&mixed).await?.is(413)?;
    Ok(())
}
