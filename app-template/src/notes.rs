//! Notes: reads that are cached under tags, and writes that name the tags they change.
//!
//! | tag | on |
//! |---|---|
//! | `note-{slug}` | one note |
//! | `notes` | lists of notes |

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};
use tropos::{Db, Result, Tag, cached, revalidate};

/// The longest title and the longest text, in characters. The form holds its visitors to them, and [`add`] everybody.
pub const LONGEST_TITLE: usize = 80;
pub const LONGEST_TEXT: usize = 500;

/// A note.
#[derive(Debug, Clone, Serialize, Deserialize, sqlx::FromRow)]
pub struct Note {
    pub slug: String,
    pub title: String,
    pub text: String,
    pub author: String,
    pub likes: i64,
}

/// What became of a new note.
#[derive(Debug, PartialEq, Eq)]
pub enum Added {
    /// It is kept, under this slug.
    As(String),
    Refused(Problem),
}

/// Why a note is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Problem {
    /// Title or text are missing or too long.
    Words,
    /// Another note has the title.
    Taken,
}

/// The newest notes.
#[cached(ttl = "1h", tags = ["notes"])]
pub async fn newest(db: &Db) -> Result<Vec<Note>> {
    let sql = "select slug, title, text, author, likes from note order by written_at desc limit 30";
    Ok(sqlx::query_as(sql).fetch_all(db.read()).await?)
}

/// One note.
#[cached(ttl = "1h", tags = ["note-{slug}"])]
pub async fn by_slug(db: &Db, slug: &str) -> Result<Option<Note>> {
    let sql = "select slug, title, text, author, likes from note where slug = $1";
    Ok(sqlx::query_as(sql)
        .bind(slug)
        .fetch_optional(db.read())
        .await?)
}

/// Likes a note; how many do now, where there is such a note.
pub async fn like(db: &Db, slug: &str) -> Result<Option<i64>> {
    let sql = "update note set likes = likes + 1 where slug = $1 returning likes";
    let likes = sqlx::query_scalar(sql)
        .bind(slug)
        .fetch_optional(db.write())
        .await?;
    if likes.is_some() {
        changed(slug).await?;
    }
    Ok(likes)
}

/// Keeps a note.
pub async fn add(db: &Db, title: &str, text: &str, author: &str) -> Result<Added> {
    let (title, text, slug) = (title.trim(), text.trim(), slug(title));
    let fits = |text: &str, most: usize| {
        !text.is_empty() && text.chars().count() <= most && !text.contains('\0')
    };
    if slug.is_empty() || !fits(title, LONGEST_TITLE) || !fits(text, LONGEST_TEXT) {
        return Ok(Added::Refused(Problem::Words));
    }
    let author = match author.trim() {
        author if fits(author, LONGEST_TITLE) => author,
        _ => "Somebody",
    };
    let sql = "insert into note (slug, title, text, author, written_at) values ($1, $2, $3, $4, $5) \
               on conflict (slug) do nothing";
    let insert = sqlx::query(sql)
        .bind(&slug)
        .bind(title)
        .bind(text)
        .bind(author)
        .bind(now());
    if insert.execute(db.write()).await?.rows_affected() == 0 {
        return Ok(Added::Refused(Problem::Taken));
    }
    changed(&slug).await?;
    Ok(Added::As(slug))
}

/// Every page that shows the note is made anew, wherever it is kept.
async fn changed(slug: &str) -> Result<()> {
    revalidate::tags([Tag::from(("note", slug)), Tag::from("notes")]).await?;
    Ok(())
}

/// A title as an address has it: `Why tags?` is `why-tags`.
fn slug(title: &str) -> String {
    let words = title.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
        .to_lowercase()
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Problem {
    /// As the address of the form has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Taken => "taken",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_is_the_words_of_the_title() {
        for (title, expected) in [
            ("Why tags?", "why-tags"),
            ("  One -- two  ", "one-two"),
            ("Ärger im Büro", "ärger-im-büro"),
            ("?!", ""),
        ] {
            assert_eq!(slug(title), expected, "{title:?}");
        }
    }
}
