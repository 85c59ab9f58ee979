//! Windows calls behind a safe signature each.
