//! Folders: read at run time while developing, embedded in release builds.
//!
//! Which of the two is decided by the user's own build: the expansion holds
//! both, each under its `#[cfg]`.

use pode_core::model::{Folder, Public, Views};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Expansion, options};
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn views(&self, views: &Views) -> TokenStream {
        let (declared, cfgs, folder) =
            (&self.declared, self.cfgs(&views.head), folder(&views.folder));
        quote! { #cfgs #declared.views(#folder); }
    }

    pub(super) fn public(&self, public: &Public) -> TokenStream {
        let (declared, cfgs, folder) =
            (&self.declared, self.cfgs(&public.head), folder(&public.folder));
        let prefix = public.prefix.to_string();
        let Kind::Public(written) = self.kind(&public.head) else {
            return TokenStream::new();
        };
        let options = options::fields(&format_ident!("PublicOptions"), &written.options);
        quote! { #cfgs #declared.public(#prefix, #folder, #options); }
    }
}

fn folder(folder: &Folder) -> TokenStream {
    let path = &folder.path.text;
    let files = folder.files().map(|file| {
        let file = &file.path;
        let below = format!("/{path}/{file}");
        quote! { (#file, ::core::include_bytes!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #below))) }
    });
    let on_disk = format!("/{path}");
    quote! {
        #[cfg(debug_assertions)]
        ::pode::__private::Folder::on_disk(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #on_disk)),
        #[cfg(not(debug_assertions))]
        ::pode::__private::Folder::embedded(&[#(#files),*])
    }
}
