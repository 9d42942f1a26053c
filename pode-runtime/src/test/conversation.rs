//! What a client and an upstream that the test plays have in common.

/// Writes the methods of one end of a connection that hears values of the first type
/// and says those of the second. It must have the fields `socket`, `settling` and
/// `deadline`.
macro_rules! conversation_methods {
    ($Type:ident, $Heard:ident, $Said:ident) => {
        impl<$Heard, $Said> $Type<$Heard, $Said> {
            /// Sets how long each wait here may take, instead of its server's
            /// [`deadline`](crate::test::Start::deadline).
            pub fn set_deadline(&mut self, deadline: std::time::Duration) {
                self.deadline = deadline;
            }

            /// Waits for the next message.
            #[track_caller]
            #[expect(clippy::should_implement_trait, reason = "that of a stream is called so, too")]
            pub fn next(&mut self) -> impl Future<Output = $Heard> + Send
            where
                $Heard: serde::de::DeserializeOwned,
            {
                self.next_json()
            }

            /// Waits for the next message, and reads it as another type.
            #[track_caller]
            pub fn next_json<T: serde::de::DeserializeOwned>(
                &mut self,
            ) -> impl Future<Output = T> + Send {
                let patience = self.patience();
                self.socket.next_json(patience)
            }

            /// Waits for the next message, which is to be a text.
            #[track_caller]
            pub fn next_text(&mut self) -> impl Future<Output = String> + Send {
                let patience = self.patience();
                self.socket.next_text(patience)
            }

            /// Waits for the next message, which is to be binary.
            #[track_caller]
            pub fn next_bytes(&mut self) -> impl Future<Output = bytes::Bytes> + Send {
                let patience = self.patience();
                self.socket.next_bytes(patience)
            }

            /// Waits for the next message, which is to be this one. Their JSON is compared,
            /// so that the type needs nothing that its server doesn't.
            #[track_caller]
            pub fn assert_next(&mut self, expected: &$Heard) -> impl Future<Output = ()> + Send
            where
                $Heard: serde::Serialize + Sync,
            {
                let patience = self.patience();
                self.socket.assert_next(expected, patience)
            }

            /// Makes sure that no message is left here: neither of what was sent before, nor
            /// of what handlers send because of what clients and upstreams of this test have
            /// sent before. One whose connection has ended isn't silent, but gone: that is a
            /// failure.
            ///
            /// It waits for no time to pass, but for all clients of the server, each time: see
            /// [`settle`](crate::test::TestServer::settle).
            #[track_caller]
            pub fn assert_silent(&mut self) -> impl Future<Output = ()> + Send {
                let patience = self.patience();
                async move {
                    self.settling.settle(patience).await;
                    self.socket.assert_nothing_unread(patience).await;
                }
            }

            /// Sends a message.
            #[track_caller]
            pub fn send(&self, message: &$Said) -> impl Future<Output = ()> + Send
            where
                $Said: serde::Serialize,
            {
                self.send_json(message)
            }

            /// Sends a message of another type.
            #[track_caller]
            pub fn send_json<T: serde::Serialize + ?Sized>(
                &self,
                message: &T,
            ) -> impl Future<Output = ()> + Send {
                let patience = self.patience();
                let text = $crate::test::json::write(message, patience);
                self.socket.send(tokio_tungstenite::tungstenite::Message::text(text), patience)
            }

            /// Sends a text as it is.
            #[track_caller]
            pub fn send_text(&self, text: impl Into<String>) -> impl Future<Output = ()> + Send {
                let patience = self.patience();
                self.socket
                    .send(tokio_tungstenite::tungstenite::Message::text(text.into()), patience)
            }

            /// Sends a binary message.
            #[track_caller]
            pub fn send_bytes(
                &self,
                bytes: impl Into<bytes::Bytes>,
            ) -> impl Future<Output = ()> + Send {
                let patience = self.patience();
                self.socket
                    .send(tokio_tungstenite::tungstenite::Message::binary(bytes.into()), patience)
            }

            /// Waits until the server has ended the connection, and returns how. Messages
            /// that weren't asked for are left aside.
            #[track_caller]
            pub fn closed(&mut self) -> impl Future<Output = $crate::test::Closed> + Send {
                let patience = self.patience();
                self.socket.closed(patience)
            }

            #[track_caller]
            fn patience(&self) -> $crate::test::patience::Patience {
                $crate::test::patience::Patience::new(self.deadline)
            }
        }
    };
}

pub(super) use conversation_methods;
