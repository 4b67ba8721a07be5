// Finds base64 of text in a text: a whole string, the end of a data: URL, an attachment within a
// sentence, lines of 60 and more characters; also without padding, and cut off anywhere.
//
// What decodes to an image, a PDF or garbage, as most long words do, is passed over. What is glued
// to letters, digits, '/' or '+' before it is not found, nor is a text of under kShortestBase64.
//
// Thread: any; pure functions. Errors: none; linear in time, whatever the text.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace invlog::bedrock {

constexpr std::size_t kShortestBase64 = 16;  // characters

// `begin`, `end`: bytes of the base64, padding included; `decoded`: what it encodes.
using TakeBase64Text =
    std::function<void(std::size_t begin, std::size_t end, const std::string& decoded)>;
// In order and without overlaps.
void find_base64_texts(std::string_view text, const TakeBase64Text& take);

}  // namespace invlog::bedrock
