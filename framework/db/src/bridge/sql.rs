//! What Tropos writes into a database so that changes are recorded.

use sqlx::PgConnection;

/// The schema, table and functions of the bridge, for a migration: `tropos.changes`, `tropos.watch(table, tags…)`,
/// `tropos.unwatch(table)`. May be run any number of times.
///
/// Whoever runs it owns the functions, and the triggers read the watched tables under that role's rights: run it as the
/// role that owns the tables, not as a superuser.
pub const fn install_sql() -> &'static str {
    include_str!("install.sql")
}

/// Runs [`install_sql`]; any number of instances may do so at once.
///
/// # Errors
/// What the database said: the role must be allowed to make a schema.
pub async fn install(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Several statements in one go are one transaction, which holds the lock that the first of them takes.
    sqlx::raw_sql(install_sql()).execute(connection).await?;
    Ok(())
}

/// The statement by which changes of a table outdate tags: `select tropos.watch('product', 'product-{id}');`.
///
/// The table is named as SQL does it: `product`, `shop.product`, `"Product"`. It takes the place of an earlier watch.
///
/// ```
/// let sql = tropos_db::bridge::watch_sql("product", &["product-{id}", "products"]);
/// assert_eq!(sql, "select tropos.watch('product', 'product-{id}', 'products');");
/// ```
pub fn watch_sql(table: &str, tags: &[&str]) -> String {
    let arguments: Vec<String> = std::iter::once(&table).chain(tags).map(|text| literal(text)).collect();
    format!("select tropos.watch({});", arguments.join(", "))
}

/// The statement that ends the watch of a table.
pub fn unwatch_sql(table: &str) -> String {
    format!("select tropos.unwatch({});", literal(table))
}

/// A text as SQL has it, whatever `standard_conforming_strings` says.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_quotes() {
        for (text, expected) in [
            ("product", "select tropos.unwatch('product');"),
            ("it's", "select tropos.unwatch('it''s');"),
            ("a\\'b", "select tropos.unwatch(E'a\\\\''b');"),
        ] {
            assert_eq!(unwatch_sql(text), expected, "{text}");
        }
    }
}
