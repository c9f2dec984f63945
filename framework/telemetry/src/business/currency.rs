//! Names of currencies, and how many digits their smallest units have.

use std::{fmt, str::FromStr};

/// A currency by its three letters (ISO 4217), such as `EUR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

/// Those whose smallest unit is not a hundredth (ISO 4217, list one), with the digits that it has.
const OTHERS: [(&str, u32); 25] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XPF", 0),
];

impl Currency {
    /// Its three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many digits follow the point: 2 of `EUR`, 0 of `JPY`. Those that the list does not know have 2, as most.
    pub fn digits(&self) -> u32 {
        let known = OTHERS.iter().find(|(name, _)| *name == self.as_str());
        known.map_or(2, |(_, digits)| *digits)
    }

    /// An amount of smallest units as a decimal: 1999 of `EUR` is `19.99`.
    pub fn decimal(&self, minor: i128) -> String {
        let digits = self.digits();
        if digits == 0 {
            return minor.to_string();
        }
        let unit = 10_u128.pow(digits);
        let sign = if minor < 0 { "-" } else { "" };
        let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
        format!("{sign}{whole}.{part:0width$}", width = digits as usize)
    }
}

impl FromStr for Currency {
    type Err = ();

    /// Three letters, of whatever case.
    fn from_str(text: &str) -> Result<Self, ()> {
        let upper = text.to_ascii_uppercase();
        let letters: [u8; 3] = upper.as_bytes().try_into().map_err(drop)?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters)).ok_or(())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_as_many_digits_as_their_currency() {
        for (currency, minor, decimal) in [
            ("EUR", 1999, "19.99"),
            ("eur", 5, "0.05"),
            ("EUR", -1999, "-19.99"),
            ("EUR", -5, "-0.05"),
            ("JPY", 1999, "1999"),
            ("KWD", 1999, "1.999"),
            ("CLF", 1, "0.0001"),
            ("XTS", 100, "1.00"),
            ("EUR", i128::MIN, "-1701411834604692317316873037158841057.28"),
        ] {
            assert_eq!(currency.parse::<Currency>().unwrap().decimal(minor), decimal, "{currency} {minor}");
        }
        for wrong in ["", "EU", "EURO", "E1R", "€", "ÄÖ"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }
}
