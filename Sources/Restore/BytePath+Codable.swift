package import System

/// In a journal, a path is a string: an archive has no name that is not UTF-8.
extension BytePath: Codable {
  package init(from decoder: any Decoder) throws {
    self.init(try decoder.singleValueContainer().decode(String.self))
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    guard let string else {
      throw EncodingError.invalidValue(
        self,
        EncodingError.Context(codingPath: container.codingPath, debugDescription: "\(self) is not UTF-8"))
    }
    try container.encode(string)
  }
}
