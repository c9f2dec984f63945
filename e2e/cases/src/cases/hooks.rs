//! Hooks: guards, variants, and headers that pretend.

use super::cases;
use crate::{
    check::{Outcome, equal, that},
    client::Request,
    context::Context,
    expect::{HIT, STORED},
    upstream::default_value,
};

cases! {
    45 "no spelling of a guarded path leads around the guard" => spellings;
    46 "a header by which a framework speaks to itself opens nothing" => pretended;
    - "a stored page behind a guard is stored inside, and private to caches outside" => guarded_and_stored;
    50 "a variant is sticky, even, and never the other side's body" => variants;
    - "an unknown value of a variant's cookie counts as none, and adds no entry" => unknown_value;
    - "an invalidation of a path or tag covers all variants of a page" => variants_invalidated alone;
}

const GOOD: (&str, &str) = ("Cookie", "session=good");

async fn spellings(c: Context) -> Outcome {
    let key = c.key("guard");
    let first = key.chars().next().map(|first| format!("%{:02x}", u32::from(first))).unwrap_or_default();
    let rest = key.get(1..).unwrap_or_default();
    let authority = c.http.authority().to_owned();
    for root in ["guarded", "guarded-isr"] {
        let targets = [
            format!("/{root}/{key}"),
            format!("/{root}/{first}{rest}"),
            format!("/%67uarded{}/{key}", root.strip_prefix("guarded").unwrap_or_default()),
            format!("//{root}/{key}"),
            format!("/./{root}/{key}"),
            format!("/x/../{root}/{key}"),
            format!("/{}/{key}", root.to_uppercase()),
            format!("/{root}/{key}/"),
            format!("/{root}%2f{key}"),
            format!("/{root}/{key}?a=b"),
            format!("/{root};a/{key}"),
            format!("/{root}\\{key}"),
            format!("/{root}/{key}%00"),
            format!("http://{authority}/{root}/{key}"),
        ];
        for target in targets {
            for method in ["GET", "HEAD", "POST"] {
                let answer = c.http.send(&Request::new(method, &target)).await?;
                let refused = matches!(answer.status, 400 | 401 | 403 | 404 | 405);
                that(refused, format!("{method} {target} got {}", answer.status))?;
                answer.hides(&[&default_value(&format!("{root}-{key}"))])?;
            }
        }
        equal("calls upstream", c.upstream.calls_containing(&format!("{root}-{key}")), 0)?;
        let page = c.http.send(&Request::get(&format!("/{root}/{key}")).with(GOOD.0, GOOD.1)).await?;
        page.shows(&default_value(&format!("{root}-{key}")))?;
    }
    Ok(())
}

async fn pretended(c: Context) -> Outcome {
    let path = format!("/guarded/{}", c.key("pretended"));
    let names = [
        "x-tropos-edge",
        "x-middleware-subrequest",
        "x-middleware-next",
        "x-middleware-rewrite",
        "x-middleware-set-cookie",
        "x-nextjs-data",
        "x-invoke-path",
        "x-matched-path",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
        "x-forwarded-host",
    ];
    for name in names {
        for value in ["1", "middleware", "/plain", "src/middleware:src/middleware:src/middleware"] {
            let answer = c.http.send(&Request::get(&path).with(name, value)).await?;
            that(answer.status == 401, format!("{name}: {value} got {}", answer.status))?;
        }
    }
    Ok(())
}

async fn guarded_and_stored(c: Context) -> Outcome {
    let path = format!("/guarded-isr/{}", c.key("stored"));
    for form in [STORED, HIT] {
        let page = c.http.send(&Request::get(&path).with(GOOD.0, GOOD.1)).await?;
        page.is(200)?.cache(form)?.has("cache-control", "private, no-cache")?.lacks("cdn-cache-control")?;
    }
    let refused = c.get(&path).await?;
    refused.is(401)?.no_store()?;
    Ok(())
}

async fn variants(c: Context) -> Outcome {
    let key = c.key("side");
    let path = format!("/variant/{key}");
    let mut sides = [0_u32; 2];
    // 600 visitors: each side within a sixth of a half is six standard deviations.
    for _ in 0..600 {
        let first = c.get(&path).await?;
        let cookie = first.need("set-cookie")?.split(';').next().unwrap_or_default().to_owned();
        let side = cookie.strip_prefix("ab=").unwrap_or_default().to_owned();
        first.shows(&default_value(&format!("variant-{key}-{side}")))?;
        let again = c.http.send(&Request::get(&path).with("Cookie", &cookie)).await?;
        again.shows(&default_value(&format!("variant-{key}-{side}")))?.cache(HIT)?.lacks("set-cookie")?;
        again.has("cache-control", "private, no-cache")?;
        if let Some(count) = sides.get_mut(usize::from(side == "b")) {
            *count += 1;
        }
    }
    that(sides.iter().all(|count| (225..=375).contains(count)), format!("sides {sides:?}"))?;
    equal("renders", c.upstream.calls_containing(&format!("variant-{key}")), 2)
}

async fn unknown_value(c: Context) -> Outcome {
    let key = c.key("unknown");
    let path = format!("/variant/{key}");
    for value in ["c", "", "A", "a b", "a%20", "../a", "a,b"] {
        let page = c.http.send(&Request::get(&path).with("Cookie", &format!("ab={value}"))).await?;
        page.is(200)?.need("set-cookie")?;
    }
    that(
        c.upstream.calls_containing(&format!("variant-{key}")) <= 2,
        "an unknown value has an entry of its own".to_owned(),
    )
}

async fn variants_invalidated(c: Context) -> Outcome {
    let key = c.key("both");
    let path = format!("/variant/{key}");
    let show = async |side: &str, value: &str| -> Outcome {
        let page = c.http.send(&Request::get(&path).with("Cookie", &format!("ab={side}"))).await?;
        page.shows(value).map(drop)
    };
    for (turn, what) in [
        serde_json::json!({"tags": [format!("variant-{key}")]}),
        serde_json::json!({"paths": [path]}),
        serde_json::json!({"prefixes": ["/variant"]}),
    ]
    .into_iter()
    .enumerate()
    {
        for side in ["a", "b"] {
            c.upstream.set(&format!("variant-{key}-{side}"), &format!("{side} {turn}"));
        }
        c.invalidate(what).await?;
        for side in ["a", "b"] {
            show(side, &format!("{side} {turn}")).await?;
        }
    }
    Ok(())
}
