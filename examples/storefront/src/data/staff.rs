//! Who works in the shop. A real one would keep its staff in the database, and of their passwords a slow hash.

use crate::hooks::{Role, Staff};

/// Somebody who may sign in.
pub struct Account {
    /// By what they sign in.
    pub name: &'static str,
    /// Shown on the sign-in page: this is a demonstration.
    pub password: &'static str,
    /// What they may do.
    pub role: Role,
    /// The same, in words.
    pub may: &'static str,
}

/// Everybody.
pub const ACCOUNTS: [Account; 2] = [
    Account { name: "clerk", password: "raw-umber", role: Role::Clerk, may: "sets prices and stock" },
    Account {
        name: "trainee",
        password: "pale-sienna",
        role: Role::Trainee,
        may: "looks, and changes nothing",
    },
];

/// Who signs in by this name and password.
pub fn known(name: &str, password: &str) -> Option<Staff> {
    let account = ACCOUNTS.iter().find(|account| account.name == name.trim());
    account.filter(|account| account.password == password).map(|account| Staff { role: account.role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_with_its_own_password_alone() {
        for (name, password, role) in [
            ("clerk", "raw-umber", Some(Role::Clerk)),
            (" clerk ", "raw-umber", Some(Role::Clerk)),
            ("trainee", "pale-sienna", Some(Role::Trainee)),
            ("clerk", "pale-sienna", None),
            ("clerk", "", None),
            ("", "raw-umber", None),
        ] {
            assert_eq!(known(name, password).map(|staff| staff.role), role, "{name} {password}");
        }
    }
}
