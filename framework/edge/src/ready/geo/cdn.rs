//! The headers by which CDNs say where a visitor is.

use crate::{EdgeRequest, request::Geo};
use http::HeaderName;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// A CDN, by the headers that it sets.
///
/// | CDN | country | region | city | unknown | set |
/// |---|---|---|---|---|---|
/// | [Cloudflare](Self::cloudflare) | `CF-IPCountry` | `CF-Region-Code` | `CF-IPCity` | `XX`, Tor `T1` | the country by "IP geolocation", the others by the managed transform "Add visitor location headers" ([source](https://developers.cloudflare.com/rules/transform/managed-transforms/reference/)) |
/// | [CloudFront](Self::cloudfront) | `CloudFront-Viewer-Country` | `CloudFront-Viewer-Country-Region` | `CloudFront-Viewer-City` | left out | by an origin request policy that names them ([source](https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html)) |
/// | [Vercel](Self::vercel) | `X-Vercel-IP-Country` | `X-Vercel-IP-Country-Region` | `X-Vercel-IP-City`, percent-encoded | left out | always ([source](https://vercel.com/docs/headers/request-headers)) |
/// | [App Engine](Self::app_engine) | `X-AppEngine-Country` | `X-AppEngine-Region` | `X-AppEngine-City` | `ZZ`, `?` | always ([source](https://cloud.google.com/appengine/docs/standard/reference/request-headers)) |
/// | [Fastly](Self::fastly) | `Client-Geo-Country` | `Client-Geo-Region` | `Client-Geo-City` | empty | by VCL of your own: `set req.http.Client-Geo-Country = client.geo.country_code;` and so on ([source](https://www.fastly.com/documentation/reference/vcl/variables/geolocation/)) |
///
/// Fly names no country: its `Fly-Region` is where the connection arrived. Use a [`Database`](super::Database) there, by the address that `Fly-Client-IP` names.
/// For others, [name the headers](Self::headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdn {
    country: Cow<'static, str>,
    region: Option<Cow<'static, str>>,
    city: Option<Cow<'static, str>>,
}

impl Cdn {
    const fn of(country: &'static str, region: &'static str, city: &'static str) -> Self {
        Self {
            country: Cow::Borrowed(country),
            region: Some(Cow::Borrowed(region)),
            city: Some(Cow::Borrowed(city)),
        }
    }

    /// Cloudflare.
    pub const fn cloudflare() -> Self {
        Self::of("cf-ipcountry", "cf-region-code", "cf-ipcity")
    }

    /// Amazon CloudFront.
    pub const fn cloudfront() -> Self {
        Self::of("cloudfront-viewer-country", "cloudfront-viewer-country-region", "cloudfront-viewer-city")
    }

    /// Vercel.
    pub const fn vercel() -> Self {
        Self::of("x-vercel-ip-country", "x-vercel-ip-country-region", "x-vercel-ip-city")
    }

    /// Google App Engine.
    pub const fn app_engine() -> Self {
        Self::of("x-appengine-country", "x-appengine-region", "x-appengine-city")
    }

    /// Fastly, with the VCL of the table.
    pub const fn fastly() -> Self {
        Self::of("client-geo-country", "client-geo-region", "client-geo-city")
    }

    /// Another proxy, by the header that names the country. It must set it on every request, and take out what the client sent.
    pub fn headers(country: &str) -> Self {
        Self { country: Cow::Owned(country.to_owned()), region: None, city: None }
    }

    /// The header that names the region.
    #[must_use]
    pub fn region(mut self, name: &str) -> Self {
        self.region = Some(Cow::Owned(name.to_owned()));
        self
    }

    /// The header that names the city.
    #[must_use]
    pub fn city(mut self, name: &str) -> Self {
        self.city = Some(Cow::Owned(name.to_owned()));
        self
    }

    pub(super) fn read(&self, request: &EdgeRequest<'_>) -> Geo<'static> {
        // A header that came twice is one that a client sent, beside the proxy's.
        let value = |name: &str| {
            let mut lines = request.headers().lines(name);
            let line =
                lines.next().filter(|line| lines.next().is_none() && line.len() <= 3 * super::LONGEST_NAME);
            line.and_then(|line| std::str::from_utf8(line).ok()).map(|text| text.trim().to_owned())
        };
        let decoded = |text: String| {
            percent_decode_str(&text).decode_utf8().ok().map(|text| Cow::Owned(text.into_owned()))
        };
        let named = |name: &Option<Cow<'static, str>>| {
            value(name.as_ref()?).filter(|text| text != "?").and_then(decoded)
        };
        Geo {
            country: value(&self.country).map(Cow::Owned),
            region: named(&self.region),
            city: named(&self.city),
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let names = [Some(&self.country), self.region.as_ref(), self.city.as_ref()];
        let odd = names.into_iter().flatten().find(|name| name.parse::<HeaderName>().is_err());
        odd.map(|odd| format!("`{odd}` is no name of a header"))
    }
}
