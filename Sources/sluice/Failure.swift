/// A failure that its message tells all about; the exit status is 1.
struct Failure: Error, CustomStringConvertible {
  let description: String
}
