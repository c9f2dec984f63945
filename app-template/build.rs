//! `sqlx::migrate!` embeds the migrations; this has a new file noticed.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
