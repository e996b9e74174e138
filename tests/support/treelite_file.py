"""Writes treelite checkpoints (version 4) without the treelite package: numbers one after the other, little-endian; a list is its length and its entries.
Nothing is checked, so a file may be as wrong as a test wants it."""
import struct

HEAD = [("version", "3i", (4, 8, 1)), ("types", "2B", (2, 2)), ("num_tree", "Q", 1), ("num_feature", "i", 2), ("task_type", "B", 1), ("average_tree_output", "B", 0),
        ("num_target", "i", 1), ("num_class", "[i", [1]), ("leaf_vector_shape", "[i", [1, 1]), ("target_id", "[i", [0]), ("class_id", "[i", [0]),
        ("postprocessor", "text", "identity"), ("sigmoid_alpha", "f", 1.0), ("ratio_c", "f", 1.0), ("base_scores", "[d", [0.0]), ("attributes", "text", "{}"),
        ("optional", "i", 0)]
TREE = [("num_nodes", "i", 3), ("has_categorical_split", "B", 0), ("node_type", "[b", [1, 0, 0]), ("cleft", "[i", [1, -1, -1]), ("cright", "[i", [2, -1, -1]),
        ("split_index", "[i", [0, -1, -1]), ("default_left", "[B", [1, 0, 0]), ("leaf_value", "[R", [0.0, 1.0, -2.5]), ("threshold", "[R", [0.5, 0.0, 0.0]),
        ("cmp", "[b", [2, 0, 0]), ("category_list_right_child", "[B", [0, 0, 0]), ("leaf_vector", "[R", []), ("leaf_vector_begin", "[Q", [0, 0, 0]),
        ("leaf_vector_end", "[Q", [0, 0, 0]), ("category_list", "[I", []), ("category_list_begin", "[Q", [0, 0, 0]), ("category_list_end", "[Q", [0, 0, 0]),
        ("data_count", "[Q", []), ("data_count_present", "[B", []), ("sum_hess", "[d", []), ("sum_hess_present", "[B", []), ("gain", "[d", []), ("gain_present", "[B", []),
        ("optional", "i", 0), ("optional_nodes", "i", 0)]


def packed(fields, change, real):
    out = b""
    for name, form, value in fields:
        value = change.get(name, value)
        if form == "text":
            out += struct.pack("<Q", len(value)) + value.encode()
        elif form.startswith("["):
            out += struct.pack("<Q", len(value)) + struct.pack(f"<{len(value)}{form[1:].replace('R', real)}", *value)
        else:
            out += struct.pack(f"<{form}", *(value if isinstance(value, tuple) else (value,)))
    return out


def checkpoint(*trees, **head):
    """One stump unless trees (dicts of what is other than the stump) say otherwise."""
    real = "d" if head.get("types") == (3, 3) else "f"
    return packed(HEAD, head, real) + b"".join(packed(TREE, tree, real) for tree in trees or ({},))
