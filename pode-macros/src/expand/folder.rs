//! Folders: read at run time while developing, embedded in release builds.
//!
//! The user's own build decides which: the expansion contains both, each under
//! its `#[cfg]`. A folder on disk isn't part of the program, so the files that
//! the macro reads in it are tracked: a change must be checked again.

use pode_core::model::{Folder, Public, Views};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Expansion, options};
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn views(&self, views: &Views) -> TokenStream {
        let (declared, cfgs, folder) =
            (&self.declared, self.cfgs(&views.head), folder(&views.folder));
        let read = read(&views.folder, &cfgs);
        quote! { #read #cfgs #declared.views(#folder); }
    }

    pub(super) fn public(&self, public: &Public) -> TokenStream {
        let (declared, cfgs, folder) =
            (&self.declared, self.cfgs(&public.head), folder(&public.folder));
        let prefix = public.prefix.to_string();
        let Kind::Public(written) = self.kind(&public.head) else {
            return TokenStream::new();
        };
        let options = options::fields(None, &format_ident!("PublicOptions"), &[], &written.options);
        let read = read(&public.folder, &cfgs);
        quote! { #read #cfgs #declared.public(#prefix, #folder, #options); }
    }
}

/// Tracks the pages and scripts that were read; where all files are embedded,
/// embedding tracks them.
pub(crate) fn read(folder: &Folder, cfgs: &TokenStream) -> Option<TokenStream> {
    let read = folder.files().filter(|file| file.text.is_some());
    let tracked = tracked(read.map(|file| folder.path_of(file)))?;
    Some(quote! { #cfgs #[cfg(debug_assertions)] #tracked })
}

/// Tells rustc which files a new build depends on; paths are relative to the
/// crate.
pub(crate) fn tracked(files: impl Iterator<Item = String>) -> Option<TokenStream> {
    let mut files = files.map(|file| included(&file)).peekable();
    files.peek()?;
    // In a function that is never called, a file is tracked without being
    // embedded.
    Some(quote! { const _: fn() = || { #(let _ = #files;)* }; })
}

fn included(file: &str) -> TokenStream {
    let below = format!("/{file}");
    quote! {
        ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #below))
    }
}

pub(crate) fn folder(folder: &Folder) -> TokenStream {
    let path = &folder.path.text;
    let files = folder.files().map(|file| {
        let file = &file.path;
        let included = included(&format!("{path}/{file}"));
        quote! { (#file, #included) }
    });
    let on_disk = format!("/{path}");
    quote! {
        #[cfg(debug_assertions)]
        ::pode::__private::Folder::on_disk(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #on_disk)),
        #[cfg(not(debug_assertions))]
        ::pode::__private::Folder::embedded(&[#(#files),*])
    }
}
