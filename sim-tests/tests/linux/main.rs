//! Tests on the Linux kernel, in real time. They are a test program of their own, because cargo runs one test program after
//! the other: beside tests that compute, the kernel's packets would be late.
#![cfg(target_os = "linux")]

mod closing;
mod confirmed;
mod http1;
mod sequences;
mod websocket;
mod worker;
