//! Where a colour stands: OKLab coordinates, and the family that they make it a member of.

use crate::data::family::Family;

/// A colour in OKLab and OKLCH, times 1000; the hue in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lab {
    /// Lightness.
    pub lightness: i64,
    /// From green to red.
    pub a: i64,
    /// From blue to yellow.
    pub b: i64,
    /// Distance from grey.
    pub chroma: i64,
    /// The angle, 0 to 359.
    pub hue: i64,
}

/// Red, green and blue of `#rrggbb`, each made linear; `None` where the text is no such colour.
pub fn linear(hex: &str) -> Option<[f64; 3]> {
    let digits = hex.strip_prefix('#').unwrap_or(hex);
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let channel = |at: usize| {
        let byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        let value = f64::from(byte) / 255.0;
        Some(if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) })
    };
    Some([channel(0)?, channel(2)?, channel(4)?])
}

/// The luminance of a colour, by which contrast is told (WCAG 2.2).
pub fn luminance(hex: &str) -> f64 {
    linear(hex).map_or(0.0, |[r, g, b]| 0.2126 * r + 0.7152 * g + 0.0722 * b)
}

fn round(value: f64) -> i64 {
    (value + 0.5).floor() as i64
}

impl Lab {
    /// The coordinates of `#rrggbb`.
    pub fn of(hex: &str) -> Option<Self> {
        let [r, g, b] = linear(hex)?;
        let long = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let medium = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let short = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        let lightness = 0.210_454_255_3 * long + 0.793_617_785_0 * medium - 0.004_072_046_8 * short;
        let a = 1.977_998_495_1 * long - 2.428_592_205_0 * medium + 0.450_593_709_9 * short;
        let b = 0.025_904_037_1 * long + 0.782_771_766_2 * medium - 0.808_675_766_0 * short;
        let chroma = round(1000.0 * a.hypot(b));
        let degrees = b.atan2(a).to_degrees();
        let degrees = if degrees < 0.0 { degrees + 360.0 } else { degrees };
        Some(Self {
            lightness: round(1000.0 * lightness),
            a: round(1000.0 * a),
            b: round(1000.0 * b),
            chroma,
            hue: if chroma == 0 { 0 } else { round(degrees) % 360 },
        })
    }

    /// The family: the first rule that holds decides. The rules are numbered in `data/README.md`.
    pub fn family(self) -> Family {
        let Self { lightness: l, chroma: c, hue: h, .. } = self;
        let warm = (30..105).contains(&h);
        match () {
            () if l >= 920 && c < 35 => Family::Whites,
            () if c < 22 || (l < 280 && c < 45) || l < 180 => Family::Greys,
            () if warm && l >= 720 && c < 65 => Family::Naturals,
            () if (15..30).contains(&h) && l < 720 && c < 55 => Family::Browns,
            () if warm && l < 720 && c < 75 => Family::Browns,
            () if (40..105).contains(&h) && l < 560 && c < 130 => Family::Browns,
            () if !(15..335).contains(&h) && l >= 480 => Family::Pinks,
            () if !(15..350).contains(&h) => Family::Reds,
            () if h >= 335 => Family::Violets,
            () if h < 42 && l >= 740 => Family::Pinks,
            () if h < 42 => Family::Reds,
            () if h < 72 => Family::Oranges,
            () if h < 112 => Family::Yellows,
            () if h < 165 => Family::Greens,
            () if h < 220 => Family::Teals,
            () if h < 282 => Family::Blues,
            () => Family::Violets,
        }
    }
}
