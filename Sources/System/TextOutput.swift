/// Text on a descriptor, at once and without a buffer. An error is ignored: there is no other place to report it.
package func put(_ text: String, _ descriptor: CInt) {
  try? SystemCalls.writeAll(Array(text.utf8), to: descriptor)
}
