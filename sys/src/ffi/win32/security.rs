//! Users, tokens and access lists.
use std::os::windows::io::{AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo,
    SDDL_REVISION_1, SE_FILE_OBJECT, SetSecurityInfo,
};
use windows_sys::Win32::Security::{
    CreateRestrictedToken, DACL_SECURITY_INFORMATION, DISABLE_MAX_PRIVILEGE, GetSecurityDescriptorDacl,
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_ADJUST_DEFAULT, TOKEN_ASSIGN_PRIMARY,
    TOKEN_DUPLICATE, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::{check, last_error, owned, size};
use crate::platform::Errno;

/// Memory that the system gave us, freed at the end.
struct Local(*mut core::ffi::c_void);

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: the system allocated it for us, and it is freed only here.
        unsafe { LocalFree(self.0) };
    }
}

/// A token of this process that can do what [`weaker`] and [`user`] need.
fn own_token(access: u32) -> Result<OwnedHandle, Errno> {
    let mut token = null_mut();
    // SAFETY: this process's own pseudo-handle; the call writes one handle.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), access, &raw mut token) })?;
    owned(token)
}

/// The user of a token, as text: `S-1-5-21-...-1001`.
fn user(token: &OwnedHandle) -> Result<String, Errno> {
    // A TOKEN_USER and the longest identifier, aligned.
    let mut buffer = [0_u64; 32];
    let mut length = 0;
    // SAFETY: the token is open; the call writes at most the size of the buffer.
    check(unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size::<[u64; 32]>(),
            &raw mut length,
        )
    })?;
    // SAFETY: the call succeeded, so that the structure stands at the front of the buffer, which is
    // aligned for it.
    let known = unsafe { buffer.as_ptr().cast::<TOKEN_USER>().read() };
    text(known.User.Sid)
}

/// An identifier as text.
fn text(identifier: PSID) -> Result<String, Errno> {
    let mut text = null_mut();
    // SAFETY: the callers pass an identifier that a call has just given them; the call writes a pointer.
    check(unsafe { ConvertSidToStringSidW(identifier, &raw mut text) })?;
    let text = Local(text.cast());
    let units: *const u16 = text.0.cast();
    let mut length = 0;
    // SAFETY: the text ends with a zero, which has not been passed yet.
    while unsafe { units.add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: so many units stand before the zero, and the text lives until the end of this function.
    Ok(String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(units, length) }))
}

/// The user of this process.
pub(crate) fn own_user() -> Result<String, Errno> {
    user(&own_token(TOKEN_QUERY)?)
}

/// The user of another process.
pub(crate) fn user_of(process: BorrowedHandle<'_>) -> Result<String, Errno> {
    let mut token = null_mut();
    // SAFETY: the handle is open for the call, which writes one handle.
    check(unsafe { OpenProcessToken(process.as_raw_handle(), TOKEN_QUERY, &raw mut token) })?;
    user(&owned(token)?)
}

/// A token like this process's without any privilege (but to pass through directories).
pub(crate) fn weaker() -> Result<OwnedHandle, Errno> {
    let own = own_token(TOKEN_DUPLICATE | TOKEN_QUERY | TOKEN_ASSIGN_PRIMARY | TOKEN_ADJUST_DEFAULT)?;
    let mut token = null_mut();
    // SAFETY: the token is open; all lists are empty; the call writes one handle.
    check(unsafe {
        CreateRestrictedToken(
            own.as_raw_handle(),
            DISABLE_MAX_PRIVILEGE,
            0,
            null(),
            0,
            null(),
            0,
            null(),
            &raw mut token,
        )
    })?;
    owned(token)
}

/// A security descriptor.
pub(crate) struct Descriptor(Local);

impl Descriptor {
    /// Everything for this user and the system, nothing for all others; inherited by what is made in a
    /// directory.
    pub(crate) fn of_this_user() -> Result<Self, Errno> {
        let words = format!("D:P(A;OICI;GA;;;{})(A;OICI;GA;;;SY)", own_user()?);
        let words = super::wide(words.as_ref())?;
        let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
        // SAFETY: the text ends with a zero; the call writes a pointer.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                words.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                null_mut(),
            )
        })?;
        Ok(Self(Local(descriptor)))
    }

    /// As calls that make something take it; valid as long as the descriptor is. No child inherits what
    /// is made.
    pub(super) fn attributes(&self) -> SECURITY_ATTRIBUTES {
        SECURITY_ATTRIBUTES {
            nLength: size::<SECURITY_ATTRIBUTES>(),
            lpSecurityDescriptor: self.0.0,
            bInheritHandle: 0,
        }
    }
}

/// The owner of an open file or directory.
pub(crate) fn owner(file: BorrowedHandle<'_>) -> Result<String, Errno> {
    let mut identifier: PSID = null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the handle is open for the call, which writes two pointers, the first into what the second
    // points to.
    let error = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut identifier,
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut descriptor,
        )
    };
    if error != 0 {
        return Err(Errno::of(error));
    }
    let _descriptor = Local(descriptor);
    text(identifier)
}

/// Closes an open file or directory to all but this user and the system. The handle must allow
/// `WRITE_DAC`.
pub(crate) fn close_to_others(file: BorrowedHandle<'_>) -> Result<(), Errno> {
    let descriptor = Descriptor::of_this_user()?;
    let (mut present, mut default) = (0, 0);
    let mut list = null_mut();
    // SAFETY: the descriptor is a whole one; the call writes two numbers and a pointer into it.
    check(unsafe {
        GetSecurityDescriptorDacl(descriptor.0.0, &raw mut present, &raw mut list, &raw mut default)
    })?;
    if present == 0 {
        return Err(last_error());
    }
    // SAFETY: the handle is open for the call, and the list lives as long as the descriptor.
    let error = unsafe {
        SetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            list,
            null(),
        )
    };
    if error == 0 { Ok(()) } else { Err(Errno::of(error)) }
}
