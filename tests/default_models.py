"""Cases of the default model that the engine and the plugin have to decide alike."""

#: The models in the plugin's zip. The task of a model is the first part of its name.
SMALL = ("landcover-lednet", "roads-efficientnet-lite2", "roads-lednet")
#: Task, names of bundled models, names of the person's models, and the default model (None where there is none).
DEFAULT_MODELS = [
    ("roads", SMALL, (), "roads-efficientnet-lite2"),
    ("landcover", SMALL, (), "landcover-lednet"),
    ("roads", (*SMALL, "roads-dlinknet34"), (), "roads-efficientnet-lite2"),  # a checkout of the repository
    ("roads", SMALL, ("roads-dlinknet34",), "roads-efficientnet-lite2"),  # installed from its zip
    ("roads", ("roads-lednet",), ("roads-dlinknet34",), "roads-dlinknet34"),
    ("roads", SMALL, ("roads-aaa",), "roads-efficientnet-lite2"),
    ("roads", (), ("roads-bbb", "roads-aaa"), "roads-aaa"),
    ("roads", ("roads-bbb",), ("roads-aaa",), "roads-bbb"),
    ("landcover", ("roads-lednet",), (), None),
    ("segmentation", SMALL, ("segmentation-own",), "segmentation-own"),
    ("segmentation", SMALL, (), "roads-efficientnet-lite2"),
    ("segmentation", (), (), None),
]
