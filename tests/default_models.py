"""Cases of the default model that the engine and the plugin have to decide alike."""

#: The models in the plugin's zip. The task of a model is the first part of its name.
SMALL = ("landcover-lednet", "roads-lednet")
#: Task, names of bundled models, names of the person's models, and the default model (None where there is none).
DEFAULT_MODELS = [
    ("roads", SMALL, (), "roads-lednet"),
    ("landcover", SMALL, (), "landcover-lednet"),
    ("roads", (*SMALL, "roads-dlinknet34"), (), "roads-dlinknet34"),  # a checkout of the repository
    ("roads", SMALL, ("roads-dlinknet34",), "roads-dlinknet34"),  # installed from its zip
    ("roads", SMALL, ("roads-aaa",), "roads-lednet"),
    ("roads", (), ("roads-bbb", "roads-aaa"), "roads-aaa"),
    ("roads", ("roads-bbb",), ("roads-aaa",), "roads-bbb"),
    ("landcover", ("roads-lednet",), (), None),
    ("segmentation", SMALL, ("segmentation-own",), "segmentation-own"),
    ("segmentation", SMALL, (), "roads-lednet"),
    ("segmentation", (), (), None),
]
