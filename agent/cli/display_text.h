// Text for a terminal's columns: how wide it is, cut to a width, and made safe to print.
//
// Why not wcwidth(): it depends on the locale, and invlog's output does not. Widths follow
// Unicode's East Asian Width coarsely: combining marks 0, CJK, Hangul, kana, full-width forms and
// emoji 2, everything else 1.
//
// Pure functions; any thread; never throw.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>

namespace invlog::cli {

// Columns that valid or invalid UTF-8 takes; a byte that is not UTF-8 counts as one.
std::size_t display_width(std::string_view text);

// `text` as it is if it fits, else its beginning and "…".
std::string cut_to_width(std::string_view text, std::size_t width);

// Line ends and tabs as \n, \r and \t, other control characters as \xNN, bytes that are not
// UTF-8 as U+FFFD: one line, and nothing a terminal would obey.
std::string printable(std::string_view text);

// The same of a text that may have several lines: their ends (\n) and tabs stay, and \r where one
// stands before such an end.
std::string printable_lines(std::string_view text);

// JSON with what a terminal would obey and JSON lets stand in strings (DEL, C1 controls) as \u00xx.
std::string printable_json(std::string_view json);

// 1234567 -> "1,234,567"
std::string grouped(long long number);
// 1, "record" -> "1 record"; 1234, "record" -> "1,234 records"
std::string counted(long long number, std::string_view noun);
// 1536 -> "1.5 KiB"
std::string readable_size(unsigned long long bytes);
// What is longer ago than an hour needs no minutes: "40 s", "12 min", "5 h", "3 d".
std::string readable_age(long long seconds);

// "name            value", a line for people; nothing for an empty value.
void print_field(std::ostream& out, std::string_view name, const std::string& value);

}  // namespace invlog::cli
