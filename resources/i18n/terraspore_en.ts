<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>TerraSpore</name>
    <message>
        <source>16 pixels</source>
        <translation>16 pixels</translation>
    </message>
    <message>
        <source>A file could not be written</source>
        <translation>A file could not be written</translation>
    </message>
    <message>
        <source>A library of the engine crashed (abort); QGIS is not affected.</source>
        <translation>A library of the engine crashed (abort); QGIS is not affected.</translation>
    </message>
    <message>
        <source>A library of the engine crashed (access violation); QGIS is not affected.</source>
        <translation>A library of the engine crashed (access violation); QGIS is not affected.</translation>
    </message>
    <message>
        <source>A library of the engine crashed (buffer overrun); QGIS is not affected.</source>
        <translation>A library of the engine crashed (buffer overrun); QGIS is not affected.</translation>
    </message>
    <message>
        <source>A library of the engine crashed (segmentation fault); QGIS is not affected.</source>
        <translation>A library of the engine crashed (segmentation fault); QGIS is not affected.</translation>
    </message>
    <message>
        <source>A library of the engine crashed (stack overflow); QGIS is not affected.</source>
        <translation>A library of the engine crashed (stack overflow); QGIS is not affected.</translation>
    </message>
    <message>
        <source>A library of the engine needs a newer processor (illegal instruction).</source>
        <translation>A library of the engine needs a newer processor (illegal instruction).</translation>
    </message>
    <message>
        <source>A library that the engine needs is missing on this computer.</source>
        <translation>A library that the engine needs is missing on this computer.</translation>
    </message>
    <message>
        <source>A model's folder, its zip, or a .ckpt, .onnx or .mindir file</source>
        <translation>A model's folder, its zip, or a .ckpt, .onnx or .mindir file</translation>
    </message>
    <message>
        <source>A mosaic needs files; save the layer as one first.</source>
        <translation>A mosaic needs files; save the layer as one first.</translation>
    </message>
    <message>
        <source>A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.</source>
        <translation>A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.</translation>
    </message>
    <message>
        <source>A package is not available for this Python and system</source>
        <translation>A package is not available for this Python and system</translation>
    </message>
    <message>
        <source>A packed model; its card is checked when it is added.</source>
        <translation>A packed model; its card is checked when it is added.</translation>
    </message>
    <message>
        <source>A raster could not be read or written: {why}</source>
        <translation>A raster could not be read or written: {why}</translation>
    </message>
    <message>
        <source>A result for each image</source>
        <translation>A result for each image</translation>
    </message>
    <message>
        <source>A run that was to write {name} came to {percent} % and ended on {date}.</source>
        <translation>A run that was to write {name} came to {percent} % and ended on {date}.</translation>
    </message>
    <message>
        <source>Accept (A)</source>
        <translation>Accept (A)</translation>
    </message>
    <message>
        <source>Accept road</source>
        <translation>Accept road</translation>
    </message>
    <message>
        <source>Accept, edit or delete roads first.</source>
        <translation>Accept, edit or delete roads first.</translation>
    </message>
    <message>
        <source>Add Topology Rules</source>
        <translation>Add Topology Rules</translation>
    </message>
    <message>
        <source>Add a model</source>
        <translation>Add a model</translation>
    </message>
    <message>
        <source>Add a model…</source>
        <translation>Add a model…</translation>
    </message>
    <message>
        <source>Add a raster layer of your own, or try the demo image: a part of Las Vegas (SpaceNet, CC BY-SA 4.0).</source>
        <translation>Add a raster layer of your own, or try the demo image: a part of Las Vegas (SpaceNet, CC BY-SA 4.0).</translation>
    </message>
    <message>
        <source>Add columns of OpenStreetMap</source>
        <translation>Add columns of OpenStreetMap</translation>
    </message>
    <message>
        <source>Add the demo image</source>
        <translation>Add the demo image</translation>
    </message>
    <message>
        <source>Also make</source>
        <translation>Also make</translation>
    </message>
    <message>
        <source>Another program ended the engine.</source>
        <translation>Another program ended the engine.</translation>
    </message>
    <message>
        <source>Architecture</source>
        <translation>Architecture</translation>
    </message>
    <message>
        <source>Area</source>
        <translation>Area</translation>
    </message>
    <message>
        <source>Asset of STAC items</source>
        <translation>Asset of STAC items</translation>
    </message>
    <message>
        <source>Average over eight flips and rotations (slower)</source>
        <translation>Average over eight flips and rotations (slower)</translation>
    </message>
    <message>
        <source>Back (B)</source>
        <translation>Back (B)</translation>
    </message>
    <message>
        <source>Band</source>
        <translation>Band</translation>
    </message>
    <message>
        <source>Bands are numbers, such as 1,2,3.</source>
        <translation>Bands are numbers, such as 1,2,3.</translation>
    </message>
    <message>
        <source>Bands, in the order of the model's</source>
        <translation>Bands, in the order of the model's</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Cancel</translation>
    </message>
    <message>
        <source>Cancelled; nothing was written.</source>
        <translation>Cancelled; nothing was written.</translation>
    </message>
    <message>
        <source>Cancelled; what was compiled so far is kept, and is not compiled again.</source>
        <translation>Cancelled; what was compiled so far is kept, and is not compiled again.</translation>
    </message>
    <message>
        <source>Carriageways closer than this are one</source>
        <translation>Carriageways closer than this are one</translation>
    </message>
    <message>
        <source>Check and add</source>
        <translation>Check and add</translation>
    </message>
    <message>
        <source>Check that it shows something there at this scale, and your connection and proxy.</source>
        <translation>Check that it shows something there at this scale, and your connection and proxy.</translation>
    </message>
    <message>
        <source>Checking the environment</source>
        <translation>Checking the environment</translation>
    </message>
    <message>
        <source>Checking the model</source>
        <translation>Checking the model</translation>
    </message>
    <message>
        <source>Checking the model…</source>
        <translation>Checking the model…</translation>
    </message>
    <message>
        <source>Choose "Read images from the network", or save the layer as a file first.</source>
        <translation>Choose "Read images from the network", or save the layer as a file first.</translation>
    </message>
    <message>
        <source>Choose a model with a card, or give the resolution.</source>
        <translation>Choose a model with a card, or give the resolution.</translation>
    </message>
    <message>
        <source>Choose a name that ends in .gpkg; it holds all layers.</source>
        <translation>Choose a name that ends in .gpkg; it holds all layers.</translation>
    </message>
    <message>
        <source>Choose a smaller area.</source>
        <translation>Choose a smaller area.</translation>
    </message>
    <message>
        <source>Choose a smaller tile, fewer threads or a smaller area.</source>
        <translation>Choose a smaller tile, fewer threads or a smaller area.</translation>
    </message>
    <message>
        <source>Choose a weights file or a model's folder.</source>
        <translation>Choose a weights file or a model's folder.</translation>
    </message>
    <message>
        <source>Choose another Python to make it from.</source>
        <translation>Choose another Python to make it from.</translation>
    </message>
    <message>
        <source>Choose another area.</source>
        <translation>Choose another area.</translation>
    </message>
    <message>
        <source>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore, or repair the engine there.</source>
        <translation>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore, or repair the engine there.</translation>
    </message>
    <message>
        <source>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>Choose another name.</source>
        <translation>Choose another name.</translation>
    </message>
    <message>
        <source>Choose others.</source>
        <translation>Choose others.</translation>
    </message>
    <message>
        <source>Choose the folder that was filled with `pip download` on a machine with network.</source>
        <translation>Choose the folder that was filled with `pip download` on a machine with network.</translation>
    </message>
    <message>
        <source>Choose the layer Roads of a GeoPackage that Extract Roads or Make Vectors has written.</source>
        <translation>Choose the layer Roads of a GeoPackage that Extract Roads or Make Vectors has written.</translation>
    </message>
    <message>
        <source>Choose the roads to review.</source>
        <translation>Choose the roads to review.</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>Classes</translation>
    </message>
    <message>
        <source>Classes of another model</source>
        <translation>Classes of another model</translation>
    </message>
    <message>
        <source>Classes with right angles</source>
        <translation>Classes with right angles</translation>
    </message>
    <message>
        <source>Classes, in the order of the channels</source>
        <translation>Classes, in the order of the channels</translation>
    </message>
    <message>
        <source>Classifies an aerial or satellite image and writes the land cover as polygons without gaps and overlaps, with class and confidence, into a GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped.</source>
        <translation>Classifies an aerial or satellite image and writes the land cover as polygons without gaps and overlaps, with class and confidence, into a GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped.</translation>
    </message>
    <message>
        <source>Close other programs that use it and try again.</source>
        <translation>Close other programs that use it and try again.</translation>
    </message>
    <message>
        <source>Column with the class of polygons</source>
        <translation>Column with the class of polygons</translation>
    </message>
    <message>
        <source>Compare with Surveyed Data</source>
        <translation>Compare with Surveyed Data</translation>
    </message>
    <message>
        <source>Computation</source>
        <translation>Computation</translation>
    </message>
    <message>
        <source>Computing</source>
        <translation>Computing</translation>
    </message>
    <message>
        <source>Confidence</source>
        <translation>Confidence</translation>
    </message>
    <message>
        <source>Continue from {percent} %</source>
        <translation>Continue from {percent} %</translation>
    </message>
    <message>
        <source>Continue the unfinished run of this output</source>
        <translation>Continue the unfinished run of this output</translation>
    </message>
    <message>
        <source>Create</source>
        <translation>Create</translation>
    </message>
    <message>
        <source>Create (download)</source>
        <translation>Create (download)</translation>
    </message>
    <message>
        <source>Create from a folder of wheels…</source>
        <translation>Create from a folder of wheels…</translation>
    </message>
    <message>
        <source>Create it again in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>Create it again in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>Creating the engine's environment</source>
        <translation>Creating the engine's environment</translation>
    </message>
    <message>
        <source>Cuts an image and labelled vectors into pairs of small images and masks, in the layout that `terraspore train` reads. Lines are drawn as wide as the field or number says; a class field gives the values of the masks. Where polygons say what was checked, pixels outside of them are not labelled.</source>
        <translation>Cuts an image and labelled vectors into pairs of small images and masks, in the layout that `terraspore train` reads. Lines are drawn as wide as the field or number says; a class field gives the values of the masks. Where polygons say what was checked, pixels outside of them are not labelled.</translation>
    </message>
    <message>
        <source>Dask scheduler</source>
        <translation>Dask scheduler</translation>
    </message>
    <message>
        <source>Delete (D)</source>
        <translation>Delete (D)</translation>
    </message>
    <message>
        <source>Delete road</source>
        <translation>Delete road</translation>
    </message>
    <message>
        <source>Deviation of each band</source>
        <translation>Deviation of each band</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Device</translation>
    </message>
    <message>
        <source>Download: {download}; on the disk: {disk}; about {n} min at {speed} Mbit/s.</source>
        <translation>Download: {download}; on the disk: {disk}; about {n} min at {speed} Mbit/s.</translation>
    </message>
    <message>
        <source>Draw a rectangle on the map.</source>
        <translation>Draw a rectangle on the map.</translation>
    </message>
    <message>
        <source>Draw it again.</source>
        <translation>Draw it again.</translation>
    </message>
    <message>
        <source>Draw on the map</source>
        <translation>Draw on the map</translation>
    </message>
    <message>
        <source>Edge of a chip in pixels</source>
        <translation>Edge of a chip in pixels</translation>
    </message>
    <message>
        <source>Edge of a tile</source>
        <translation>Edge of a tile</translation>
    </message>
    <message>
        <source>Edge of a tile in pixels</source>
        <translation>Edge of a tile in pixels</translation>
    </message>
    <message>
        <source>Edit (E)</source>
        <translation>Edit (E)</translation>
    </message>
    <message>
        <source>Empty the cache</source>
        <translation>Empty the cache</translation>
    </message>
    <message>
        <source>End an engine without answer after seconds</source>
        <translation>End an engine without answer after seconds</translation>
    </message>
    <message>
        <source>Environment for</source>
        <translation>Environment for</translation>
    </message>
    <message>
        <source>Existing interpreter instead</source>
        <translation>Existing interpreter instead</translation>
    </message>
    <message>
        <source>Existing roads to find changes of</source>
        <translation>Existing roads to find changes of</translation>
    </message>
    <message>
        <source>Extract Land Cover</source>
        <translation>Extract Land Cover</translation>
    </message>
    <message>
        <source>Extract Roads</source>
        <translation>Extract Roads</translation>
    </message>
    <message>
        <source>Extracts roads or land cover of each image of a folder or of a list of layers, and writes a result for each into a folder: a GeoPackage, or a raster of classes for other models. Goes on after an image that fails, and says at the end which did and why. Results that exist are skipped if the batch is continued. For one result of all images use Extract Roads or Extract Land Cover with further images.</source>
        <translation>Extracts roads or land cover of each image of a folder or of a list of layers, and writes a result for each into a folder: a GeoPackage, or a raster of classes for other models. Goes on after an image that fails, and says at the end which did and why. Results that exist are skipped if the batch is continued. For one result of all images use Extract Roads or Extract Land Cover with further images.</translation>
    </message>
    <message>
        <source>Fetching the image at {resolution} m</source>
        <translation>Fetching the image at {resolution} m</translation>
    </message>
    <message>
        <source>Field with the class (empty: one class)</source>
        <translation>Field with the class (empty: one class)</translation>
    </message>
    <message>
        <source>Field with the width of lines in m</source>
        <translation>Field with the width of lines in m</translation>
    </message>
    <message>
        <source>File</source>
        <translation>File</translation>
    </message>
    <message>
        <source>Finds roads in an aerial or satellite image and writes them as a network of centre lines with width and confidence, with its nodes and the areas of the roads, into one GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped. Keep the probability raster to make the lines again with another threshold without a new computation.</source>
        <translation>Finds roads in an aerial or satellite image and writes them as a network of centre lines with width and confidence, with its nodes and the areas of the roads, into one GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped. Keep the probability raster to make the lines again with another threshold without a new computation.</translation>
    </message>
    <message>
        <source>Folder for compiled models</source>
        <translation>Folder for compiled models</translation>
    </message>
    <message>
        <source>Folder of chips</source>
        <translation>Folder of chips</translation>
    </message>
    <message>
        <source>Folder of images</source>
        <translation>Folder of images</translation>
    </message>
    <message>
        <source>Folder of results</source>
        <translation>Folder of results</translation>
    </message>
    <message>
        <source>Folder of wheels</source>
        <translation>Folder of wheels</translation>
    </message>
    <message>
        <source>Folder of your models</source>
        <translation>Folder of your models</translation>
    </message>
    <message>
        <source>Folder with further images of the mosaic</source>
        <translation>Folder with further images of the mosaic</translation>
    </message>
    <message>
        <source>Folder…</source>
        <translation>Folder…</translation>
    </message>
    <message>
        <source>Further images, which form a mosaic with the first and lie below it</source>
        <translation>Further images, which form a mosaic with the first and lie below it</translation>
    </message>
    <message>
        <source>Ground resolution</source>
        <translation>Ground resolution</translation>
    </message>
    <message>
        <source>Ground resolution in m</source>
        <translation>Ground resolution in m</translation>
    </message>
    <message>
        <source>Ground resolution in m (empty: the image's)</source>
        <translation>Ground resolution in m (empty: the image's)</translation>
    </message>
    <message>
        <source>Hide roads (H)</source>
        <translation>Hide roads (H)</translation>
    </message>
    <message>
        <source>Ignore the alpha band</source>
        <translation>Ignore the alpha band</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>Image</translation>
    </message>
    <message>
        <source>Image in the file</source>
        <translation>Image in the file</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>Images</translation>
    </message>
    <message>
        <source>Images skipped</source>
        <translation>Images skipped</translation>
    </message>
    <message>
        <source>Images that are done</source>
        <translation>Images that are done</translation>
    </message>
    <message>
        <source>Images that failed</source>
        <translation>Images that failed</translation>
    </message>
    <message>
        <source>Inference engine</source>
        <translation>Inference engine</translation>
    </message>
    <message>
        <source>Install Python {versions}, or choose one under “Python to make it from”.</source>
        <translation>Install Python {versions}, or choose one under “Python to make it from”.</translation>
    </message>
    <message>
        <source>Installed: {python}</source>
        <translation>Installed: {python}</translation>
    </message>
    <message>
        <source>Installing accelerators</source>
        <translation>Installing accelerators</translation>
    </message>
    <message>
        <source>Installing the engine's packages</source>
        <translation>Installing the engine's packages</translation>
    </message>
    <message>
        <source>It has no card. Empty fields are taken from the file.</source>
        <translation>It has no card. Empty fields are taken from the file.</translation>
    </message>
    <message>
        <source>It shows</source>
        <translation>It shows</translation>
    </message>
    <message>
        <source>Its file may be read-only or open in another program.</source>
        <translation>Its file may be read-only or open in another program.</translation>
    </message>
    <message>
        <source>Its last message: {line}</source>
        <translation>Its last message: {line}</translation>
    </message>
    <message>
        <source>Its plan is made when it has been fetched.</source>
        <translation>Its plan is made when it has been fetched.</translation>
    </message>
    <message>
        <source>Keep the engine loaded for minutes</source>
        <translation>Keep the engine loaded for minutes</translation>
    </message>
    <message>
        <source>Keep the image's contrast</source>
        <translation>Keep the image's contrast</translation>
    </message>
    <message>
        <source>Labelled lines or polygons</source>
        <translation>Labelled lines or polygons</translation>
    </message>
    <message>
        <source>Land cover</source>
        <translation>Land cover</translation>
    </message>
    <message>
        <source>Land cover from drone and aerial imagery at 0.2 m (LEDNet)</source>
        <translation>Land cover from drone and aerial imagery at 0.2 m (LEDNet)</translation>
    </message>
    <message>
        <source>Land cover from drone imagery at 0.2 m (EfficientNet-Lite2)</source>
        <translation>Land cover from drone imagery at 0.2 m (EfficientNet-Lite2)</translation>
    </message>
    <message>
        <source>Land cover from satellite imagery at 0.7 m (EfficientNet-Lite2)</source>
        <translation>Land cover from satellite imagery at 0.7 m (EfficientNet-Lite2)</translation>
    </message>
    <message>
        <source>Land-cover classes</source>
        <translation>Land-cover classes</translation>
    </message>
    <message>
        <source>Largest angle of a closed gap</source>
        <translation>Largest angle of a closed gap</translation>
    </message>
    <message>
        <source>Largest distance between matching lines</source>
        <translation>Largest distance between matching lines</translation>
    </message>
    <message>
        <source>Largest distance of a pair of carriageways</source>
        <translation>Largest distance of a pair of carriageways</translation>
    </message>
    <message>
        <source>Largest distance of lines of the same road</source>
        <translation>Largest distance of lines of the same road</translation>
    </message>
    <message>
        <source>Largest error of right angles</source>
        <translation>Largest error of right angles</translation>
    </message>
    <message>
        <source>Largest hole that is closed</source>
        <translation>Largest hole that is closed</translation>
    </message>
    <message>
        <source>Las Vegas (demo)</source>
        <translation>Las Vegas (demo)</translation>
    </message>
    <message>
        <source>Layer of the polygons</source>
        <translation>Layer of the polygons</translation>
    </message>
    <message>
        <source>Length of roads in m</source>
        <translation>Length of roads in m</translation>
    </message>
    <message>
        <source>Limit of that folder in MB</source>
        <translation>Limit of that folder in MB</translation>
    </message>
    <message>
        <source>Load the model, and say how long the run takes and how much memory it needs</source>
        <translation>Load the model, and say how long the run takes and how much memory it needs</translation>
    </message>
    <message>
        <source>Loading the model…</source>
        <translation>Loading the model…</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>Log</translation>
    </message>
    <message>
        <source>Longest dead end that is dropped</source>
        <translation>Longest dead end that is dropped</translation>
    </message>
    <message>
        <source>Longest gap that is closed</source>
        <translation>Longest gap that is closed</translation>
    </message>
    <message>
        <source>Make Vectors from a Probability Raster</source>
        <translation>Make Vectors from a Probability Raster</translation>
    </message>
    <message>
        <source>Make the areas of roads, too</source>
        <translation>Make the areas of roads, too</translation>
    </message>
    <message>
        <source>Makes road lines from a raster of road probabilities, or land-cover polygons from a raster of classes, with another threshold or simplification and without a new computation of the network. Rasters of other programs work too: probabilities in any unit, masks and classes. What the values mean is decided by the raster, or chosen under the advanced parameters.</source>
        <translation>Makes road lines from a raster of road probabilities, or land-cover polygons from a raster of classes, with another threshold or simplification and without a new computation of the network. Rasters of other programs work too: probabilities in any unit, masks and classes. What the values mean is decided by the raster, or chosen under the advanced parameters.</translation>
    </message>
    <message>
        <source>Making an empty environment</source>
        <translation>Making an empty environment</translation>
    </message>
    <message>
        <source>Making vectors</source>
        <translation>Making vectors</translation>
    </message>
    <message>
        <source>Mean of each band (of values divided by 255)</source>
        <translation>Mean of each band (of values divided by 255)</translation>
    </message>
    <message>
        <source>Meaning of the values</source>
        <translation>Meaning of the values</translation>
    </message>
    <message>
        <source>Measures how well a result agrees with surveyed data. Road lines against lines: completeness, correctness, APLS, TOPO and junctions. Rasters of classes against each other: accuracy, IoU and kappa; with a threshold, masks of roads. Polygons of land cover against a raster of classes: gaps, overlaps and agreement. The metrics are in the log, and in a table where a file is given.</source>
        <translation>Measures how well a result agrees with surveyed data. Road lines against lines: completeness, correctness, APLS, TOPO and junctions. Rasters of classes against each other: accuracy, IoU and kappa; with a threshold, masks of roads. Polygons of land cover against a raster of classes: gaps, overlaps and agreement. The metrics are in the log, and in a table where a file is given.</translation>
    </message>
    <message>
        <source>Memory limit in MB</source>
        <translation>Memory limit in MB</translation>
    </message>
    <message>
        <source>MindSpore (Ascend, processor)</source>
        <translation>MindSpore (Ascend, processor)</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Model</translation>
    </message>
    <message>
        <source>Model (empty: the default)</source>
        <translation>Model (empty: the default)</translation>
    </message>
    <message>
        <source>Model's folder</source>
        <translation>Model's folder</translation>
    </message>
    <message>
        <source>Model: name, folder or file</source>
        <translation>Model: name, folder or file</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>Models</translation>
    </message>
    <message>
        <source>More</source>
        <translation>More</translation>
    </message>
    <message>
        <source>NVIDIA graphics card (ONNX Runtime for CUDA)</source>
        <translation>NVIDIA graphics card (ONNX Runtime for CUDA)</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Name of the layer</source>
        <translation>Name of the layer</translation>
    </message>
    <message>
        <source>Next (N)</source>
        <translation>Next (N)</translation>
    </message>
    <message>
        <source>No Python was found from which an environment can be made.</source>
        <translation>No Python was found from which an environment can be made.</translation>
    </message>
    <message>
        <source>No place was reviewed yet.</source>
        <translation>No place was reviewed yet.</translation>
    </message>
    <message>
        <source>No rule was added: the rules are there already, or the project has no layer that they are for.</source>
        <translation>No rule was added: the rules are there already, or the project has no layer that they are for.</translation>
    </message>
    <message>
        <source>Number of bands</source>
        <translation>Number of bands</translation>
    </message>
    <message>
        <source>Number of models: {n}</source>
        <translation>Number of models: {n}</translation>
    </message>
    <message>
        <source>Number of polygons</source>
        <translation>Number of polygons</translation>
    </message>
    <message>
        <source>Number of roads</source>
        <translation>Number of roads</translation>
    </message>
    <message>
        <source>Number type</source>
        <translation>Number type</translation>
    </message>
    <message>
        <source>One mosaic with {n} more layers: {names}</source>
        <translation>One mosaic with {n} more layers: {names}</translation>
    </message>
    <message>
        <source>Only this class</source>
        <translation>Only this class</translation>
    </message>
    <message>
        <source>Open the folder</source>
        <translation>Open the folder</translation>
    </message>
    <message>
        <source>Open the options</source>
        <translation>Open the options</translation>
    </message>
    <message>
        <source>Other segmentation</source>
        <translation>Other segmentation</translation>
    </message>
    <message>
        <source>Output of the network, if it has several</source>
        <translation>Output of the network, if it has several</translation>
    </message>
    <message>
        <source>Overlap of tiles in pixels</source>
        <translation>Overlap of tiles in pixels</translation>
    </message>
    <message>
        <source>Package index</source>
        <translation>Package index</translation>
    </message>
    <message>
        <source>Packages are downloaded from {index} into {folder}. QGIS's own Python is not changed.</source>
        <translation>Packages are downloaded from {index} into {folder}. QGIS's own Python is not changed.</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>Plan</translation>
    </message>
    <message>
        <source>Planning</source>
        <translation>Planning</translation>
    </message>
    <message>
        <source>Polygons</source>
        <translation>Polygons</translation>
    </message>
    <message>
        <source>Polygons of a layer</source>
        <translation>Polygons of a layer</translation>
    </message>
    <message>
        <source>Polygons that were checked (empty: the whole image)</source>
        <translation>Polygons that were checked (empty: the whole image)</translation>
    </message>
    <message>
        <source>Polygons to work in</source>
        <translation>Polygons to work in</translation>
    </message>
    <message>
        <source>Polygons within which they are compared</source>
        <translation>Polygons within which they are compared</translation>
    </message>
    <message>
        <source>Preparing the engine for its first run, about {n} s</source>
        <translation>Preparing the engine for its first run, about {n} s</translation>
    </message>
    <message>
        <source>Preparing the inference engine</source>
        <translation>Preparing the inference engine</translation>
    </message>
    <message>
        <source>Probabilities</source>
        <translation>Probabilities</translation>
    </message>
    <message>
        <source>Probability of one unit of the values</source>
        <translation>Probability of one unit of the values</translation>
    </message>
    <message>
        <source>Probability that a connected piece must reach</source>
        <translation>Probability that a connected piece must reach</translation>
    </message>
    <message>
        <source>Process Many Images One by One</source>
        <translation>Process Many Images One by One</translation>
    </message>
    <message>
        <source>Processor (OpenVINO, ONNX Runtime)</source>
        <translation>Processor (OpenVINO, ONNX Runtime)</translation>
    </message>
    <message>
        <source>Protected class</source>
        <translation>Protected class</translation>
    </message>
    <message>
        <source>Python to make it from</source>
        <translation>Python to make it from</translation>
    </message>
    <message>
        <source>Raster</source>
        <translation>Raster</translation>
    </message>
    <message>
        <source>Raster of classes</source>
        <translation>Raster of classes</translation>
    </message>
    <message>
        <source>Raster of probabilities or classes</source>
        <translation>Raster of probabilities or classes</translation>
    </message>
    <message>
        <source>Raster of the probabilities of classes</source>
        <translation>Raster of the probabilities of classes</translation>
    </message>
    <message>
        <source>Read images from the network</source>
        <translation>Read images from the network</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>Reading</translation>
    </message>
    <message>
        <source>Rectangle</source>
        <translation>Rectangle</translation>
    </message>
    <message>
        <source>Rectangle to work on</source>
        <translation>Rectangle to work on</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>Remove</translation>
    </message>
    <message>
        <source>Remove its layer from the project, or choose another file.</source>
        <translation>Remove its layer from the project, or choose another file.</translation>
    </message>
    <message>
        <source>Removing the engine's environment</source>
        <translation>Removing the engine's environment</translation>
    </message>
    <message>
        <source>Repair (download)</source>
        <translation>Repair (download)</translation>
    </message>
    <message>
        <source>Repair or choose the engine's environment in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>Repair or choose the engine's environment in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>Repair the engine in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>Repair the engine in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>Replace what exists</source>
        <translation>Replace what exists</translation>
    </message>
    <message>
        <source>Restore defaults</source>
        <translation>Restore defaults</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Result</translation>
    </message>
    <message>
        <source>Result in one sentence</source>
        <translation>Result in one sentence</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Review</translation>
    </message>
    <message>
        <source>Review Roads</source>
        <translation>Review Roads</translation>
    </message>
    <message>
        <source>Reviewed area</source>
        <translation>Reviewed area</translation>
    </message>
    <message>
        <source>Road areas</source>
        <translation>Road areas</translation>
    </message>
    <message>
        <source>Road changes</source>
        <translation>Road changes</translation>
    </message>
    <message>
        <source>Road mask</source>
        <translation>Road mask</translation>
    </message>
    <message>
        <source>Road nodes</source>
        <translation>Road nodes</translation>
    </message>
    <message>
        <source>Road probability</source>
        <translation>Road probability</translation>
    </message>
    <message>
        <source>Road probability (for other thresholds later)</source>
        <translation>Road probability (for other thresholds later)</translation>
    </message>
    <message>
        <source>Roads</source>
        <translation>Roads</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m (D-LinkNet34)</source>
        <translation>Roads from aerial and satellite imagery at 1 m (D-LinkNet34)</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m (EfficientNet-Lite2)</source>
        <translation>Roads from aerial and satellite imagery at 1 m (EfficientNet-Lite2)</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m, small and fast (LEDNet)</source>
        <translation>Roads from aerial and satellite imagery at 1 m, small and fast (LEDNet)</translation>
    </message>
    <message>
        <source>Rows at a time</source>
        <translation>Rows at a time</translation>
    </message>
    <message>
        <source>Rules of APLS and TOPO</source>
        <translation>Rules of APLS and TOPO</translation>
    </message>
    <message>
        <source>Runs a segmentation model of your own over an image: a model folder with its card, or a .ckpt, .onnx or .mindir file that was added in Settings &gt; Options &gt; TerraSpore. Writes a raster of classes and, where asked for, polygons. The image may be a file or an online layer.</source>
        <translation>Runs a segmentation model of your own over an image: a model folder with its card, or a .ckpt, .onnx or .mindir file that was added in Settings &gt; Options &gt; TerraSpore. Writes a raster of classes and, where asked for, polygons. The image may be a file or an online layer.</translation>
    </message>
    <message>
        <source>Runtime</source>
        <translation>Runtime</translation>
    </message>
    <message>
        <source>Save them first.</source>
        <translation>Save them first.</translation>
    </message>
    <message>
        <source>Save to</source>
        <translation>Save to</translation>
    </message>
    <message>
        <source>Segment with Another Model</source>
        <translation>Segment with Another Model</translation>
    </message>
    <message>
        <source>Segmentation</source>
        <translation>Segmentation</translation>
    </message>
    <message>
        <source>Select polygons, or choose another area.</source>
        <translation>Select polygons, or choose another area.</translation>
    </message>
    <message>
        <source>Set it in the layer's properties.</source>
        <translation>Set it in the layer's properties.</translation>
    </message>
    <message>
        <source>Set up TerraSpore</source>
        <translation>Set up TerraSpore</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>Settings</translation>
    </message>
    <message>
        <source>Shortest connected piece of road</source>
        <translation>Shortest connected piece of road</translation>
    </message>
    <message>
        <source>Simplification</source>
        <translation>Simplification</translation>
    </message>
    <message>
        <source>Simplification of areas</source>
        <translation>Simplification of areas</translation>
    </message>
    <message>
        <source>Size and time</source>
        <translation>Size and time</translation>
    </message>
    <message>
        <source>Size of a pixel</source>
        <translation>Size of a pixel</translation>
    </message>
    <message>
        <source>Skip images whose results exist</source>
        <translation>Skip images whose results exist</translation>
    </message>
    <message>
        <source>Smaller tiles need less memory</source>
        <translation>Smaller tiles need less memory</translation>
    </message>
    <message>
        <source>Smallest polygon</source>
        <translation>Smallest polygon</translation>
    </message>
    <message>
        <source>Smallest polygon of a class</source>
        <translation>Smallest polygon of a class</translation>
    </message>
    <message>
        <source>Smallest road area</source>
        <translation>Smallest road area</translation>
    </message>
    <message>
        <source>Smooth borders</source>
        <translation>Smooth borders</translation>
    </message>
    <message>
        <source>Smoothing of lines</source>
        <translation>Smoothing of lines</translation>
    </message>
    <message>
        <source>Smoothing of the probabilities</source>
        <translation>Smoothing of the probabilities</translation>
    </message>
    <message>
        <source>Start anew</source>
        <translation>Start anew</translation>
    </message>
    <message>
        <source>State</source>
        <translation>State</translation>
    </message>
    <message>
        <source>Surveyed data</source>
        <translation>Surveyed data</translation>
    </message>
    <message>
        <source>Table of the metrics</source>
        <translation>Table of the metrics</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>Task</translation>
    </message>
    <message>
        <source>TerraSpore computes in a Python environment of its own, outside of QGIS, whose own Python is not changed. It is not there yet. Create it now? What you clicked starts as soon as it is ready.</source>
        <translation>TerraSpore computes in a Python environment of its own, outside of QGIS, whose own Python is not changed. It is not there yet. Create it now? What you clicked starts as soon as it is ready.</translation>
    </message>
    <message>
        <source>Test engine</source>
        <translation>Test engine</translation>
    </message>
    <message>
        <source>Testing the engine</source>
        <translation>Testing the engine</translation>
    </message>
    <message>
        <source>The Python from which the engine's environment was made is gone, perhaps by an update of QGIS.</source>
        <translation>The Python from which the engine's environment was made is gone, perhaps by an update of QGIS.</translation>
    </message>
    <message>
        <source>The area could not be written to {path}: {reason}.</source>
        <translation>The area could not be written to {path}: {reason}.</translation>
    </message>
    <message>
        <source>The area lies outside of the layer {layer}.</source>
        <translation>The area lies outside of the layer {layer}.</translation>
    </message>
    <message>
        <source>The area lies outside of the layer.</source>
        <translation>The area lies outside of the layer.</translation>
    </message>
    <message>
        <source>The area of {layer} has {width} × {height} pixels, too many to fetch from a service in one run.</source>
        <translation>The area of {layer} has {width} × {height} pixels, too many to fetch from a service in one run.</translation>
    </message>
    <message>
        <source>The available packages are not compatible with each other</source>
        <translation>The available packages are not compatible with each other</translation>
    </message>
    <message>
        <source>The card cannot be read.</source>
        <translation>The card cannot be read.</translation>
    </message>
    <message>
        <source>The chosen interpreter {path} does not exist. Choose another in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>The chosen interpreter {path} does not exist. Choose another in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>The command for the engine is too long.</source>
        <translation>The command for the engine is too long.</translation>
    </message>
    <message>
        <source>The computer ran out of memory during the run.</source>
        <translation>The computer ran out of memory during the run.</translation>
    </message>
    <message>
        <source>The connection's certificate is not trusted (a proxy that inspects TLS?)</source>
        <translation>The connection's certificate is not trusted (a proxy that inspects TLS?)</translation>
    </message>
    <message>
        <source>The deleted roads could not be stored in {path}: {reason}.</source>
        <translation>The deleted roads could not be stored in {path}: {reason}.</translation>
    </message>
    <message>
        <source>The disk is full</source>
        <translation>The disk is full</translation>
    </message>
    <message>
        <source>The edits of {name} are not saved.</source>
        <translation>The edits of {name} are not saved.</translation>
    </message>
    <message>
        <source>The engine could not read a file or memory (bus error); the disk may be full.</source>
        <translation>The engine could not read a file or memory (bus error); the disk may be full.</translation>
    </message>
    <message>
        <source>The engine did not answer for {seconds} seconds and was ended.</source>
        <translation>The engine did not answer for {seconds} seconds and was ended.</translation>
    </message>
    <message>
        <source>The engine does not follow the machine protocol and was ended: {reason}.</source>
        <translation>The engine does not follow the machine protocol and was ended: {reason}.</translation>
    </message>
    <message>
        <source>The engine does not start in the new environment: {reason}.</source>
        <translation>The engine does not start in the new environment: {reason}.</translation>
    </message>
    <message>
        <source>The engine ended because memory ran out.</source>
        <translation>The engine ended because memory ran out.</translation>
    </message>
    <message>
        <source>The engine ended unexpectedly (exit code {code}).</source>
        <translation>The engine ended unexpectedly (exit code {code}).</translation>
    </message>
    <message>
        <source>The engine gave no plan.</source>
        <translation>The engine gave no plan.</translation>
    </message>
    <message>
        <source>The engine made no progress for {seconds} seconds and was ended.</source>
        <translation>The engine made no progress for {seconds} seconds and was ended.</translation>
    </message>
    <message>
        <source>The engine's environment is incomplete: {line}</source>
        <translation>The engine's environment is incomplete: {line}</translation>
    </message>
    <message>
        <source>The engine's interpreter {program} does not start: {reason}.</source>
        <translation>The engine's interpreter {program} does not start: {reason}.</translation>
    </message>
    <message>
        <source>The environment is ready: {python}</source>
        <translation>The environment is ready: {python}</translation>
    </message>
    <message>
        <source>The environment {folder} could not be made: {reason}.</source>
        <translation>The environment {folder} could not be made: {reason}.</translation>
    </message>
    <message>
        <source>The environment {folder} could not be removed: {reason}.</source>
        <translation>The environment {folder} could not be removed: {reason}.</translation>
    </message>
    <message>
        <source>The environment {folder} is already being set up or removed.</source>
        <translation>The environment {folder} is already being set up or removed.</translation>
    </message>
    <message>
        <source>The environment {folder} is removed.</source>
        <translation>The environment {folder} is removed.</translation>
    </message>
    <message>
        <source>The file {path} cannot be read: {reason}.</source>
        <translation>The file {path} cannot be read: {reason}.</translation>
    </message>
    <message>
        <source>The inference engine is not installed yet. Create its environment in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>The inference engine is not installed yet. Create its environment in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>The labelled vectors cannot be read.</source>
        <translation>The labelled vectors cannot be read.</translation>
    </message>
    <message>
        <source>The labels could not be written: {reason}.</source>
        <translation>The labels could not be written: {reason}.</translation>
    </message>
    <message>
        <source>The layer {layer} cannot be read; its source may have moved.</source>
        <translation>The layer {layer} cannot be read; its source may have moved.</translation>
    </message>
    <message>
        <source>The layer {layer} gave no image for this area.</source>
        <translation>The layer {layer} gave no image for this area.</translation>
    </message>
    <message>
        <source>The layer {layer} has a pixel type that cannot be used.</source>
        <translation>The layer {layer} has a pixel type that cannot be used.</translation>
    </message>
    <message>
        <source>The layer {layer} has no CRS.</source>
        <translation>The layer {layer} has no CRS.</translation>
    </message>
    <message>
        <source>The layer {layer} has no scale in this area.</source>
        <translation>The layer {layer} has no scale in this area.</translation>
    </message>
    <message>
        <source>The layer {layer} is on the network.</source>
        <translation>The layer {layer} is on the network.</translation>
    </message>
    <message>
        <source>The layer {name} cannot be edited.</source>
        <translation>The layer {name} cannot be edited.</translation>
    </message>
    <message>
        <source>The layer {name} has no column {column}.</source>
        <translation>The layer {name} has no column {column}.</translation>
    </message>
    <message>
        <source>The layer {name} is not in a GeoPackage.</source>
        <translation>The layer {name} is not in a GeoPackage.</translation>
    </message>
    <message>
        <source>The log has {n} more warnings.</source>
        <translation>The log has {n} more warnings.</translation>
    </message>
    <message>
        <source>The log is {file}.</source>
        <translation>The log is {file}.</translation>
    </message>
    <message>
        <source>The mask {file} cannot be replaced, because QGIS or another program has it open.</source>
        <translation>The mask {file} cannot be replaced, because QGIS or another program has it open.</translation>
    </message>
    <message>
        <source>The mask {file} cannot be written: {reason}.</source>
        <translation>The mask {file} cannot be written: {reason}.</translation>
    </message>
    <message>
        <source>The mask {path} would replace the image.</source>
        <translation>The mask {path} would replace the image.</translation>
    </message>
    <message>
        <source>The model {lost} that the settings name is not there; {model} is used.</source>
        <translation>The model {lost} that the settings name is not there; {model} is used.</translation>
    </message>
    <message>
        <source>The new environment cannot be used: {reason}.</source>
        <translation>The new environment cannot be used: {reason}.</translation>
    </message>
    <message>
        <source>The new mask is kept as {file}.</source>
        <translation>The new mask is kept as {file}.</translation>
    </message>
    <message>
        <source>The output {name} is not a GeoPackage.</source>
        <translation>The output {name} is not a GeoPackage.</translation>
    </message>
    <message>
        <source>The package index cannot be reached</source>
        <translation>The package index cannot be reached</translation>
    </message>
    <message>
        <source>The path of the folder of environments is too long for Windows</source>
        <translation>The path of the folder of environments is too long for Windows</translation>
    </message>
    <message>
        <source>The plugin failed: {error}. The log has the details; please report it.</source>
        <translation>The plugin failed: {error}. The log has the details; please report it.</translation>
    </message>
    <message>
        <source>The plugin's folder is incomplete: {path} is missing. Install the plugin again.</source>
        <translation>The plugin's folder is incomplete: {path} is missing. Install the plugin again.</translation>
    </message>
    <message>
        <source>The polygons cannot be transformed to the image's CRS.</source>
        <translation>The polygons cannot be transformed to the image's CRS.</translation>
    </message>
    <message>
        <source>The probability raster {path} cannot be read.</source>
        <translation>The probability raster {path} cannot be read.</translation>
    </message>
    <message>
        <source>The proxy refused the connection</source>
        <translation>The proxy refused the connection</translation>
    </message>
    <message>
        <source>The rectangle is empty.</source>
        <translation>The rectangle is empty.</translation>
    </message>
    <message>
        <source>The resolution at which to fetch {layer} is not known.</source>
        <translation>The resolution at which to fetch {layer} is not known.</translation>
    </message>
    <message>
        <source>The result {source} could not be loaded.</source>
        <translation>The result {source} could not be loaded.</translation>
    </message>
    <message>
        <source>The run failed; the log says more.</source>
        <translation>The run failed; the log says more.</translation>
    </message>
    <message>
        <source>The service reported: {error}</source>
        <translation>The service reported: {error}</translation>
    </message>
    <message>
        <source>The set-up was cancelled; nothing was changed.</source>
        <translation>The set-up was cancelled; nothing was changed.</translation>
    </message>
    <message>
        <source>The system ended the engine, most often because memory ran out.</source>
        <translation>The system ended the engine, most often because memory ran out.</translation>
    </message>
    <message>
        <source>The table {path} could not be written: {reason}.</source>
        <translation>The table {path} could not be written: {reason}.</translation>
    </message>
    <message>
        <source>The task was cancelled.</source>
        <translation>The task was cancelled.</translation>
    </message>
    <message>
        <source>The temporary image {path} could not be written: {reason}.</source>
        <translation>The temporary image {path} could not be written: {reason}.</translation>
    </message>
    <message>
        <source>The vectors of {name} cannot be read.</source>
        <translation>The vectors of {name} cannot be read.</translation>
    </message>
    <message>
        <source>There are no images: choose layers or a folder.</source>
        <translation>There are no images: choose layers or a folder.</translation>
    </message>
    <message>
        <source>There are no wheels (.whl) in {folder}.</source>
        <translation>There are no wheels (.whl) in {folder}.</translation>
    </message>
    <message>
        <source>There is a model {name} already; choose another name.</source>
        <translation>There is a model {name} already; choose another name.</translation>
    </message>
    <message>
        <source>There is no image in the project.</source>
        <translation>There is no image in the project.</translation>
    </message>
    <message>
        <source>There is no log of a set-up yet.</source>
        <translation>There is no log of a set-up yet.</translation>
    </message>
    <message>
        <source>There is no model for this task yet. Add one in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>There is no model for this task yet. Add one in Settings &gt; Options &gt; TerraSpore.</translation>
    </message>
    <message>
        <source>There is no polygon layer in the project.</source>
        <translation>There is no polygon layer in the project.</translation>
    </message>
    <message>
        <source>There is no polygon that limits the area.</source>
        <translation>There is no polygon that limits the area.</translation>
    </message>
    <message>
        <source>There is no raster layer in the project.</source>
        <translation>There is no raster layer in the project.</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>Threads</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Threshold</translation>
    </message>
    <message>
        <source>Threshold on probability</source>
        <translation>Threshold on probability</translation>
    </message>
    <message>
        <source>Tile in pixels</source>
        <translation>Tile in pixels</translation>
    </message>
    <message>
        <source>Training Chips from Raster and Vectors</source>
        <translation>Training Chips from Raster and Vectors</translation>
    </message>
    <message>
        <source>Training chips…</source>
        <translation>Training chips…</translation>
    </message>
    <message>
        <source>Two rasters are masks of roads: probability of a road pixel</source>
        <translation>Two rasters are masks of roads: probability of a road pixel</translation>
    </message>
    <message>
        <source>Use shorter paths and fewer parameters.</source>
        <translation>Use shorter paths and fewer parameters.</translation>
    </message>
    <message>
        <source>Value without data</source>
        <translation>Value without data</translation>
    </message>
    <message>
        <source>Vectors</source>
        <translation>Vectors</translation>
    </message>
    <message>
        <source>Visible part of the map</source>
        <translation>Visible part of the map</translation>
    </message>
    <message>
        <source>Wait until that has ended, and try again.</source>
        <translation>Wait until that has ended, and try again.</translation>
    </message>
    <message>
        <source>Warnings</source>
        <translation>Warnings</translation>
    </message>
    <message>
        <source>What the raster shows</source>
        <translation>What the raster shows</translation>
    </message>
    <message>
        <source>What to extract</source>
        <translation>What to extract</translation>
    </message>
    <message>
        <source>Whole layer</source>
        <translation>Whole layer</translation>
    </message>
    <message>
        <source>Widest road</source>
        <translation>Widest road</translation>
    </message>
    <message>
        <source>Width of lines in m (empty: the engine's)</source>
        <translation>Width of lines in m (empty: the engine's)</translation>
    </message>
    <message>
        <source>Windows cannot replace {file} while the layer {layer} shows it. Remove the layer from the project, or choose another file.</source>
        <translation>Windows cannot replace {file} while the layer {layer} shows it. Remove the layer from the project, or choose another file.</translation>
    </message>
    <message>
        <source>With the same settings it can go on from there.</source>
        <translation>With the same settings it can go on from there.</translation>
    </message>
    <message>
        <source>Writing</source>
        <translation>Writing</translation>
    </message>
    <message>
        <source>Zoom to</source>
        <translation>Zoom to</translation>
    </message>
    <message>
        <source>about {n} min</source>
        <translation>about {n} min</translation>
    </message>
    <message>
        <source>about {n} s</source>
        <translation>about {n} s</translation>
    </message>
    <message>
        <source>accuracy,evaluation,validation,quality,completeness,correctness,APLS,IoU,confusion matrix,ground truth</source>
        <translation>accuracy,evaluation,validation,quality,completeness,correctness,APLS,IoU,confusion matrix,ground truth</translation>
    </message>
    <message>
        <source>all classes</source>
        <translation>all classes</translation>
    </message>
    <message>
        <source>all cores</source>
        <translation>all cores</translation>
    </message>
    <message>
        <source>automatic: {model}</source>
        <translation>automatic: {model}</translation>
    </message>
    <message>
        <source>batch,folder,many,separate,roads,land cover,deep learning</source>
        <translation>batch,folder,many,separate,roads,land cover,deep learning</translation>
    </message>
    <message>
        <source>classes are compared</source>
        <translation>classes are compared</translation>
    </message>
    <message>
        <source>classes called building, house or roof</source>
        <translation>classes called building, house or roof</translation>
    </message>
    <message>
        <source>closed gap of {m} m</source>
        <translation>closed gap of {m} m</translation>
    </message>
    <message>
        <source>dead end of {m} m</source>
        <translation>dead end of {m} m</translation>
    </message>
    <message>
        <source>decided by the raster</source>
        <translation>decided by the raster</translation>
    </message>
    <message>
        <source>default</source>
        <translation>default</translation>
    </message>
    <message>
        <source>end at once</source>
        <translation>end at once</translation>
    </message>
    <message>
        <source>ends {m} m before another road</source>
        <translation>ends {m} m before another road</translation>
    </message>
    <message>
        <source>for example {value}</source>
        <translation>for example {value}</translation>
    </message>
    <message>
        <source>found automatically</source>
        <translation>found automatically</translation>
    </message>
    <message>
        <source>four pixels</source>
        <translation>four pixels</translation>
    </message>
    <message>
        <source>half a pixel</source>
        <translation>half a pixel</translation>
    </message>
    <message>
        <source>it does not start as a Python</source>
        <translation>it does not start as a Python</translation>
    </message>
    <message>
        <source>it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)</source>
        <translation>it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)</translation>
    </message>
    <message>
        <source>it is Python {version}; needed is {wanted}</source>
        <translation>it is Python {version}; needed is {wanted}</translation>
    </message>
    <message>
        <source>it is a 32-bit Python</source>
        <translation>it is a 32-bit Python</translation>
    </message>
    <message>
        <source>it is a Python for ARM64, for which pyogrio, OpenCV and OpenVINO have no packages on Windows; install the 64-bit (x64) Python of python.org, which runs on ARM64 as well</source>
        <translation>it is a Python for ARM64, for which pyogrio, OpenCV and OpenVINO have no packages on Windows; install the 64-bit (x64) Python of python.org, which runs on ARM64 as well</translation>
    </message>
    <message>
        <source>it uses the packages of {folder}</source>
        <translation>it uses the packages of {folder}</translation>
    </message>
    <message>
        <source>its module ssl cannot be loaded, so that nothing can be downloaded</source>
        <translation>its module ssl cannot be loaded, so that nothing can be downloaded</translation>
    </message>
    <message>
        <source>land cover,land use,classification,coverage,deep learning,segmentation,satellite,aerial</source>
        <translation>land cover,land use,classification,coverage,deep learning,segmentation,satellite,aerial</translation>
    </message>
    <message>
        <source>mean probability {value}</source>
        <translation>mean probability {value}</translation>
    </message>
    <message>
        <source>no limit</source>
        <translation>no limit</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>none yet</translation>
    </message>
    <message>
        <source>not drawn yet</source>
        <translation>not drawn yet</translation>
    </message>
    <message>
        <source>one for each core</source>
        <translation>one for each core</translation>
    </message>
    <message>
        <source>rasterio has no packages for it on Macs with Intel processors; take {newest} or older</source>
        <translation>rasterio has no packages for it on Macs with Intel processors; take {newest} or older</translation>
    </message>
    <message>
        <source>road,street,network,centerline,centreline,deep learning,segmentation,satellite,aerial</source>
        <translation>road,street,network,centerline,centreline,deep learning,segmentation,satellite,aerial</translation>
    </message>
    <message>
        <source>roads, landcover or classes</source>
        <translation>roads, landcover or classes</translation>
    </message>
    <message>
        <source>segmentation,deep learning,onnx,mindir,checkpoint,custom model,classification</source>
        <translation>segmentation,deep learning,onnx,mindir,checkpoint,custom model,classification</translation>
    </message>
    <message>
        <source>temporary layer</source>
        <translation>temporary layer</translation>
    </message>
    <message>
        <source>the disk may be full</source>
        <translation>the disk may be full</translation>
    </message>
    <message>
        <source>the first</source>
        <translation>the first</translation>
    </message>
    <message>
        <source>the first with polygons</source>
        <translation>the first with polygons</translation>
    </message>
    <message>
        <source>the image's own</source>
        <translation>the image's own</translation>
    </message>
    <message>
        <source>the machine's</source>
        <translation>the machine's</translation>
    </message>
    <message>
        <source>the model's</source>
        <translation>the model's</translation>
    </message>
    <message>
        <source>the plugin's own environment</source>
        <translation>the plugin's own environment</translation>
    </message>
    <message>
        <source>the raster's own</source>
        <translation>the raster's own</translation>
    </message>
    <message>
        <source>the task's default</source>
        <translation>the task's default</translation>
    </message>
    <message>
        <source>the whole image</source>
        <translation>the whole image</translation>
    </message>
    <message>
        <source>this process</source>
        <translation>this process</translation>
    </message>
    <message>
        <source>those of the layer's style</source>
        <translation>those of the layer's style</translation>
    </message>
    <message>
        <source>threshold + (1 - threshold) / 4</source>
        <translation>threshold + (1 - threshold) / 4</translation>
    </message>
    <message>
        <source>training,chips,tiles,labels,dataset,masks,deep learning</source>
        <translation>training,chips,tiles,labels,dataset,masks,deep learning</translation>
    </message>
    <message>
        <source>vectorize,polygonize,threshold,simplify,probability,mask,roads,land cover</source>
        <translation>vectorize,polygonize,threshold,simplify,probability,mask,roads,land cover</translation>
    </message>
    <message>
        <source>visual, or the only image</source>
        <translation>visual, or the only image</translation>
    </message>
    <message>
        <source>{done} of {count} doubtful places are reviewed.</source>
        <translation>{done} of {count} doubtful places are reviewed.</translation>
    </message>
    <message>
        <source>{layer} is not a file.</source>
        <translation>{layer} is not a file.</translation>
    </message>
    <message>
        <source>{layer} is not a raster file.</source>
        <translation>{layer} is not a raster file.</translation>
    </message>
    <message>
        <source>{layer} is not a raster file; save it as one first.</source>
        <translation>{layer} is not a raster file; save it as one first.</translation>
    </message>
    <message>
        <source>{lowest} to {highest}</source>
        <translation>{lowest} to {highest}</translation>
    </message>
    <message>
        <source>{model} ({resolution} m) fits the image, which has {pixel} m per pixel. Others: {others}.</source>
        <translation>{model} ({resolution} m) fits the image, which has {pixel} m per pixel. Others: {others}.</translation>
    </message>
    <message>
        <source>{model} on {device} with {runtime}: {reason}</source>
        <translation>{model} on {device} with {runtime}: {reason}</translation>
    </message>
    <message>
        <source>{name} must be at least {limit}.</source>
        <translation>{name} must be at least {limit}.</translation>
    </message>
    <message>
        <source>{n} of {m} tiles came empty.</source>
        <translation>{n} of {m} tiles came empty.</translation>
    </message>
    <message>
        <source>{n} rules were added to the project. The panel Topology Checker (menu Vector) validates them.</source>
        <translation>{n} rules were added to the project. The panel Topology Checker (menu Vector) validates them.</translation>
    </message>
    <message>
        <source>{n} tiles were fetched.</source>
        <translation>{n} tiles were fetched.</translation>
    </message>
    <message>
        <source>{path} cannot be unpacked: {reason}.</source>
        <translation>{path} cannot be unpacked: {reason}.</translation>
    </message>
    <message>
        <source>{path} holds {count} models; a packed model has one {card}.</source>
        <translation>{path} holds {count} models; a packed model has one {card}.</translation>
    </message>
    <message>
        <source>{path} is larger than any model that can be used.</source>
        <translation>{path} is larger than any model that can be used.</translation>
    </message>
    <message>
        <source>{percent} % are finished and kept; start it again to continue from there.</source>
        <translation>{percent} % are finished and kept; start it again to continue from there.</translation>
    </message>
    <message>
        <source>{size} MB in use</source>
        <translation>{size} MB in use</translation>
    </message>
    <message>
        <source>{step} failed: {reason}.</source>
        <translation>{step} failed: {reason}.</translation>
    </message>
    <message>
        <source>{step}: not possible here; everything works without it, but more slowly.</source>
        <translation>{step}: not possible here; everything works without it, but more slowly.</translation>
    </message>
    <message>
        <source>{tiles} tiles of {tile} pixels at {resolution} m, about {memory} MB of memory</source>
        <translation>{tiles} tiles of {tile} pixels at {resolution} m, about {memory} MB of memory</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>{time} left</translation>
    </message>
    <message>
        <source>{title} – {task}, {resolution} m, {bands} bands</source>
        <translation>{title} – {task}, {resolution} m, {bands} bands</translation>
    </message>
    <message>
        <source>{title}, empty: {default}</source>
        <translation>{title}, empty: {default}</translation>
    </message>
    <message>
        <source>{width} × {height} pixels at {resolution} m; tiles: about {tiles}.</source>
        <translation>{width} × {height} pixels at {resolution} m; tiles: about {tiles}.</translation>
    </message>
</context>
</TS>
