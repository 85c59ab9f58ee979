//! Job objects: limits on a whole tree of processes, and its end.
use std::os::windows::io::{AsHandle, AsRawHandle, BorrowedHandle, OwnedHandle};
use std::ptr::{null, null_mut};

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION, JOB_OBJECT_LIMIT_JOB_MEMORY,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_LIMIT_PROCESS_TIME,
    JOB_OBJECT_UILIMIT_DESKTOP, JOB_OBJECT_UILIMIT_DISPLAYSETTINGS, JOB_OBJECT_UILIMIT_EXITWINDOWS,
    JOB_OBJECT_UILIMIT_GLOBALATOMS, JOB_OBJECT_UILIMIT_HANDLES, JOB_OBJECT_UILIMIT_READCLIPBOARD,
    JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS, JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_BASIC_UI_RESTRICTIONS,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECTINFOCLASS, JobObjectBasicAccountingInformation,
    JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject, TerminateJobObject,
};

use super::{check, owned, size};
use crate::platform::Errno;

/// Limits of a [`Job`]; `None` sets none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JobLimits {
    /// Bytes of committed memory of each process.
    pub(crate) process_memory: Option<usize>,
    /// Bytes of committed memory of all processes together.
    pub(crate) memory: Option<usize>,
    /// Units of 100 ns of processor time of each process, in user mode.
    pub(crate) process_time: Option<i64>,
    /// Processes at one time.
    pub(crate) processes: Option<u32>,
}

/// A tree of processes. When the last handle goes, by whatever end of this process, all of it is killed.
#[derive(Debug)]
pub(crate) struct Job(OwnedHandle);

impl Job {
    /// A job without processes.
    pub(crate) fn new(limits: JobLimits) -> Result<Self, Errno> {
        // SAFETY: without attributes and a name the job is a new one, which no child inherits.
        let job = Self(owned(unsafe { CreateJobObjectW(null(), null()) })?);
        let mut information = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let basic = &mut information.BasicLimitInformation;
        // No dialog of a crash waits for a user who is not there.
        basic.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION;
        if let Some(units) = limits.process_time {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_TIME;
            basic.PerProcessUserTimeLimit = units;
        }
        if let Some(count) = limits.processes {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
            basic.ActiveProcessLimit = count;
        }
        if let Some(bytes) = limits.process_memory {
            basic.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
            information.ProcessMemoryLimit = bytes;
        }
        if let Some(bytes) = limits.memory {
            information.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
            information.JobMemoryLimit = bytes;
        }
        job.set(JobObjectExtendedLimitInformation, &information)?;
        Ok(job)
    }

    /// Keeps the job's processes from the clipboard, the desktop, the windows and the settings of the
    /// others.
    pub(crate) fn close_desktop(&self) -> Result<(), Errno> {
        let restrictions = JOBOBJECT_BASIC_UI_RESTRICTIONS {
            UIRestrictionsClass: JOB_OBJECT_UILIMIT_DESKTOP
                | JOB_OBJECT_UILIMIT_DISPLAYSETTINGS
                | JOB_OBJECT_UILIMIT_EXITWINDOWS
                | JOB_OBJECT_UILIMIT_GLOBALATOMS
                | JOB_OBJECT_UILIMIT_HANDLES
                | JOB_OBJECT_UILIMIT_READCLIPBOARD
                | JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS
                | JOB_OBJECT_UILIMIT_WRITECLIPBOARD,
        };
        self.set(JobObjectBasicUIRestrictions, &restrictions)
    }

    fn set<T>(&self, class: JOBOBJECTINFOCLASS, information: &T) -> Result<(), Errno> {
        // SAFETY: the handle is ours; the call reads the structure, whose size it is told. Callers pass
        // the structure of the class.
        check(unsafe {
            SetInformationJobObject(
                self.0.as_raw_handle(),
                class,
                std::ptr::from_ref(information).cast(),
                size::<T>(),
            )
        })
    }

    /// Puts a process that has not run yet into the job.
    pub(crate) fn take_in(&self, process: BorrowedHandle<'_>) -> Result<(), Errno> {
        // SAFETY: both handles are open for the call.
        check(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), process.as_raw_handle()) })
    }

    /// Ends every process of the job with `status`.
    pub(crate) fn kill(&self, status: u32) -> Result<(), Errno> {
        // SAFETY: the handle is ours.
        check(unsafe { TerminateJobObject(self.0.as_raw_handle(), status) })
    }

    /// How many processes of the job have not ended.
    pub(crate) fn processes(&self) -> Result<u32, Errno> {
        let mut information = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the handle is ours; the call writes at most the size of the structure.
        check(unsafe {
            QueryInformationJobObject(
                self.0.as_handle().as_raw_handle(),
                JobObjectBasicAccountingInformation,
                (&raw mut information).cast(),
                size::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>(),
                null_mut(),
            )
        })?;
        Ok(information.ActiveProcesses)
    }
}
