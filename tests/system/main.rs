//! The whole system, from the outside: every test starts a site of its own and asks it as a browser, a program or an
//! attacker would. `tests/README.md` says which test shows which requirement.

mod smoke; // temporary
