//! The derive `View`: a struct whose fields are the variables of a template, and
//! which is a reply.
//!
//! `fields` names the variables as serde does, `template` compares them with what
//! the template needs, and shows it.

mod fields;
#[cfg_attr(not(feature = "views"), path = "template_off.rs")]
mod template;

use pode_core::check::Code;
use pode_core::feature::advice;
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::{Attribute, Generics, Item, LitStr, Token};

use crate::diagnostic::Mistakes;
use crate::feature::Feature;

/// What stands in `#[view(…)]`.
#[cfg_attr(not(feature = "views"), expect(dead_code, reason = "no file is looked for"))]
struct Named {
    view: LitStr,
    /// `None` means `views`.
    folder: Option<LitStr>,
}

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let mut mistakes = Mistakes::default();
    let (ident, generics, attributes, fields) = match syn::parse2(input) {
        Ok(Item::Struct(it)) => (it.ident, it.generics, it.attrs, Some(it.fields)),
        Ok(Item::Enum(it)) => (it.ident, it.generics, it.attrs, None),
        Ok(Item::Union(it)) => (it.ident, it.generics, it.attrs, None),
        Ok(_) => return TokenStream::new(),
        Err(error) => {
            mistakes.add_syntax(&error);
            return mistakes.errors();
        }
    };
    if !Feature::Views.is_on() {
        let feature = Feature::Views.name();
        let message = format!("a view needs the feature `{feature}` of `pode`");
        mistakes.add(Code::FeatureOff, ident.span(), message, advice(feature));
    }
    let named = named(&ident, &attributes, &mut mistakes);
    let fields = fields::variables(&ident, fields.as_ref(), &attributes, &mut mistakes);
    let shown = match (&named, mistakes.is_empty()) {
        (Some(named), true) => template::shown(&ident, named, &fields, &mut mistakes),
        _ => None,
    };
    let reply = reply(&ident, generics, shown);
    let errors = mistakes.errors();
    quote! { #errors #reply }
}

fn named(ident: &Ident, attributes: &[Attribute], mistakes: &mut Mistakes) -> Option<Named> {
    let help = "write `#[view(\"users/list\")]` for the file `views/users/list.html`; another \
                folder is `#[view(\"users/list\", folder = \"pages\")]`";
    let mut named = attributes.iter().filter(|attribute| attribute.path().is_ident("view"));
    let Some(attribute) = named.next() else {
        let message = format!("`{ident}` doesn't name its view");
        mistakes.add(Code::ViewDerive, ident.span(), message, help);
        return None;
    };
    if let Some(again) = named.next() {
        let message = format!("`{ident}` names its view twice");
        mistakes.add(Code::ViewDerive, again.path().get_ident()?.span(), message, "remove one");
    }
    match attribute.parse_args_with(parse) {
        Ok(named) => Some(named),
        Err(error) => {
            mistakes.add(Code::ViewDerive, error.span(), "no name of a view", help);
            None
        }
    }
}

fn parse(input: ParseStream<'_>) -> syn::Result<Named> {
    let view = input.parse()?;
    let mut folder = None;
    if input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
        let word: Ident = input.parse()?;
        if word != "folder" {
            return Err(syn::Error::new(word.span(), "unknown"));
        }
        input.parse::<Token![=]>()?;
        folder = Some(input.parse()?);
        input.parse::<Option<Token![,]>>()?;
    }
    Ok(Named { view, folder })
}

/// Writes the value as a reply, also after a mistake: then nothing else fails.
fn reply(ident: &Ident, mut generics: Generics, shown: Option<TokenStream>) -> TokenStream {
    let span = ident.span();
    let serialize = quote_spanned! { span=> Self: ::pode::__private::Serialize };
    generics.make_where_clause().predicates.push(syn::parse_quote!(#serialize));
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let shown = shown.unwrap_or_else(|| quote! {{ let _ = __event; ::core::unreachable!() }});
    let data = Feature::Views.is_on().then(|| {
        quote! {
            #[automatically_derived]
            impl #parameters ::pode::reply::Variables for #ident #arguments #bounds {}
        }
    });
    quote! {
        #[automatically_derived]
        impl #parameters ::pode::Reply for #ident #arguments #bounds {
            fn into_response(self, __event: &::pode::WebEvent) -> ::pode::reply::WholeResponse {
                #shown
            }
        }
        #data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_template_is_compiled_again() {
        let written = quote! { #[view("page", folder = "src/tests/folder")] struct Page; };
        let expansion = derive(written).to_string();
        assert!(!expansion.contains("PODE"), "{expansion}");
        let tracked = "include_bytes ! (:: core :: concat ! (:: core :: env ! (\"CARGO_MANIFEST_DIR\") , \"/src/tests/folder/page.html\"))";
        assert!(expansion.contains(tracked), "{expansion}");
        // A release build contains it, and nothing else of the folder.
        let embedded = format!("embedded (& [(\"page.html\" , :: core :: {tracked})])");
        assert!(expansion.contains(&embedded), "{expansion}");
    }
}
