//! Codes of lints that are computed on their own.
use crate::codes;

codes! {
    UNUSED_IMPORT = "SEM0960" "SEMA_L_UNUSED_IMPORT";
    NEEDLESS_MUT = "SEM0961" "SEMA_L_NEEDLESS_MUT";
    SET_WITHOUT_MUT = "SEM0962" "SEMA_L_SET_WITHOUT_MUT";
    CONSTANT_CONDITION = "SEM0963" "SEMA_L_CONSTANT_CONDITION";
    SPACE_MISMATCH = "SEM0964" "SEMA_L_SPACE_MISMATCH";
    /// Reported where attributes are lowered.
    UNKNOWN_LINT = "SEM0965" "SEMA_W_UNKNOWN_LINT";
}
