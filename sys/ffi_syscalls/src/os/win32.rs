//! What Windows does.
