//! What a stored page may differ by besides its path and query.
//!
//! A variant is a name with a closed list of values, so the entries of a page are bounded however many visitors choose.
//! Hooks choose values; a page declares the variants it differs by, and its key holds those alone.

use std::borrow::Cow;

/// Values of one variant, the first of which is taken where no hook has chosen: `variant!` makes types of it.
pub trait VariantName: Sized + Copy + Send + Sync + 'static {
    /// The name, such as `ab`: a token of letters, digits, `-` and `_`.
    const NAME: &'static str;
    /// All values, the one that counts where none was chosen first. At most [`MOST_VALUES`].
    const VALUES: &'static [&'static str];
    /// The value at a place of [`Self::VALUES`], which is one of them.
    fn at(place: usize) -> Self;
    /// The place of the value.
    fn place(self) -> usize;

    /// The value as it stands in keys and cookies.
    fn as_str(self) -> &'static str {
        Self::VALUES.get(self.place()).copied().unwrap_or_default()
    }

    /// The value of this spelling.
    fn parse(text: &str) -> Option<Self> {
        Self::VALUES.iter().position(|known| *known == text).map(Self::at)
    }
}

/// The most values that a variant may have: a page that differs by two such has 256 entries.
pub const MOST_VALUES: usize = 16;

/// The most variants that may be chosen for one request.
pub const MOST_VARIANTS: usize = 16;

/// Whether name and values can stand in keys and cookies, and are few enough. For [`variant!`](crate::variant!).
#[doc(hidden)]
pub const fn is_sound(name: &str, values: &[&str]) -> bool {
    let mut sound = is_word(name) && !values.is_empty() && values.len() <= MOST_VALUES;
    let mut at = 0;
    while at < values.len() {
        sound = sound && is_word(values[at]);
        let mut other = at + 1;
        while other < values.len() {
            sound = sound && !is_same(values[at], values[other]);
            other += 1;
        }
        at += 1;
    }
    sound
}

const fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= 64
}

const fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    a.len() == b.len() && at == a.len()
}

/// Makes a type of a variant's values.
///
/// ```
/// tropos_edge::variant! {
///     /// Which of two texts the button has.
///     pub enum Button: "button" { Plain = "plain", Bold = "bold" }
/// }
/// use tropos_edge::VariantName;
/// assert_eq!(Button::parse("bold"), Some(Button::Bold));
/// assert_eq!(Button::VALUES, ["plain", "bold"]);
/// ```
#[macro_export]
macro_rules! variant {
    ($(#[$meta:meta])* $vis:vis enum $name:ident : $text:literal { $($(#[$of:meta])* $value:ident = $spelled:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($(#[$of])* #[allow(missing_docs)] $value),+ }

        const _: () = assert!(
            $crate::variant::is_sound($text, &[$($spelled),+]),
            "a variant has 1 to 16 different values; its name and they are of letters, digits, `-` and `_`",
        );

        impl $crate::VariantName for $name {
            const NAME: &'static str = $text;
            const VALUES: &'static [&'static str] = &[$($spelled),+];
            fn at(place: usize) -> Self {
                const ALL: &[$name] = &[$($name::$value),+];
                ALL.get(place).copied().unwrap_or(ALL[0])
            }
            fn place(self) -> usize {
                self as usize
            }
        }
    };
}

/// The variants that were chosen for a request, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variants(Vec<(Cow<'static, str>, Cow<'static, str>)>);

impl Variants {
    /// None are chosen.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Chooses a value; the last choice counts. Without effect beyond [`MOST_VARIANTS`].
    pub fn choose<V: VariantName>(&mut self, value: V) {
        self.put(V::NAME.into(), value.as_str().into());
    }

    /// What hooks chose elsewhere, by names and values as they are spelled. Pages read what they know of it.
    pub(crate) fn told(chosen: Vec<(String, String)>) -> Self {
        let mut this = Self::default();
        chosen.into_iter().for_each(|(name, value)| this.put(name.into(), value.into()));
        this
    }

    fn put(&mut self, name: Cow<'static, str>, value: Cow<'static, str>) {
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(at) => {
                if let Some(known) = self.0.get_mut(at) {
                    known.1 = value;
                }
            }
            Err(at) if self.0.len() < MOST_VARIANTS => self.0.insert(at, (name, value)),
            Err(_) => {}
        }
    }

    /// Takes over what others chose later.
    pub(crate) fn merge(&mut self, later: Variants) {
        if self.0.is_empty() {
            self.0 = later.0;
            return;
        }
        later.0.into_iter().for_each(|(name, value)| self.put(name, value));
    }

    /// The value that was chosen, if any.
    pub fn get<V: VariantName>(&self) -> Option<V> {
        self.value(V::NAME).and_then(V::parse)
    }

    /// The value of this name, as it is spelled.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }

    /// Names and values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Whether none was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The variants that a page declares, as a type: one [`VariantName`], or a tuple of up to four.
pub trait Declared: Sized + Copy + Send + Sync + 'static {
    /// The part of the key, such as `ab=a,button=bold`, of what was chosen; the first values where nothing was.
    fn key(chosen: &Variants) -> String;
    /// The values of a key's part; the first values for what it does not name.
    fn read(key: &str) -> Self;
}

impl<V: VariantName> Declared for V {
    fn key(chosen: &Variants) -> String {
        let mut key = String::new();
        write(&mut key, chosen.get::<V>().unwrap_or(V::at(0)));
        key
    }

    fn read(key: &str) -> Self {
        read(key)
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name: VariantName),+> Declared for ($($name,)+) {
            fn key(chosen: &Variants) -> String {
                let mut key = String::new();
                $(write(&mut key, chosen.get::<$name>().unwrap_or($name::at(0)));)+
                key
            }

            fn read(key: &str) -> Self {
                ($(read::<$name>(key),)+)
            }
        }
    )+};
}
tuples! { A; A B; A B C; A B C D; }

fn write<V: VariantName>(key: &mut String, value: V) {
    let comma = if key.is_empty() { "" } else { "," };
    // Made for each hit behind hooks: at once as long as it will be, most often.
    key.reserve(comma.len() + V::NAME.len() + 1 + value.as_str().len());
    [comma, V::NAME, "=", value.as_str()].iter().for_each(|part| key.push_str(part));
}

fn read<V: VariantName>(key: &str) -> V {
    let pairs = key.split(',').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(name, _)| *name == V::NAME).find_map(|(_, value)| V::parse(value));
    value.unwrap_or(V::at(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::variant! { enum Ab: "ab" { A = "a", B = "b" } }
    crate::variant! { enum Size: "size" { S = "s", L = "l" } }

    #[test]
    fn names_and_values_that_keys_or_cookies_could_not_hold_do_not_compile() {
        for (name, values, sound) in [
            ("ab", &["a", "b"][..], true),
            ("a b", &["a"], false),
            ("ab", &["a,b"], false),
            ("ab", &["a=b"], false),
            ("ab", &["pt-BR"], true),
            ("ab", &["a", "b", "a"], false),
            ("ab", &[], false),
            ("", &["a"], false),
            ("ab", &["a"; 17], false),
        ] {
            assert_eq!(is_sound(name, values), sound, "{name} {values:?}");
        }
    }

    #[test]
    fn a_key_holds_declared_variants_alone_and_reads_back() {
        let mut chosen = Variants::default();
        assert_eq!(<(Size, Ab)>::key(&chosen), "size=s,ab=a");
        chosen.choose(Size::L);
        chosen.choose(Ab::A);
        chosen.choose(Ab::B);
        assert_eq!(Ab::key(&chosen), "ab=b");
        assert_eq!(<(Size, Ab)>::key(&chosen), "size=l,ab=b");
        assert_eq!(<(Size, Ab)>::read("size=l,ab=b"), (Size::L, Ab::B));
        assert_eq!(<(Size, Ab)>::read("size=x,other=b"), (Size::S, Ab::A));
        assert_eq!(chosen.iter().collect::<Vec<_>>(), [("ab", "b"), ("size", "l")]);
    }
}
