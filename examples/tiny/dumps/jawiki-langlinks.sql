-- MariaDB dump 10.19  Distrib 10.5.29-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: jawiki
-- ------------------------------------------------------
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;

--
-- Table structure for table `langlinks`
--

DROP TABLE IF EXISTS `langlinks`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE `langlinks` (
  `ll_from` int(8) unsigned NOT NULL DEFAULT 0,
  `ll_lang` varbinary(35) NOT NULL DEFAULT '',
  `ll_title` varbinary(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`ll_from`,`ll_lang`),
  KEY `ll_lang` (`ll_lang`,`ll_title`)
) ENGINE=InnoDB DEFAULT CHARSET=binary;
/*!40101 SET character_set_client = @saved_cs_client */;

--
-- Dumping data for table `langlinks`
--

/*!40000 ALTER TABLE `langlinks` DISABLE KEYS */;
INSERT INTO `langlinks` VALUES (30018,'ar','ماء'),(30018,'en','Water'),(30018,'es','Agua'),(30027,'ar','زجاج'),(30027,'en','Glass'),(30027,'es','Vidrio'),(30027,'it','Vetro d\'uso comune'),(30036,'ar','دراجة هوائية'),(30036,'en','Bicycle'),(30036,'es','Bicicleta'),(30045,'ar','صحراء'),(30045,'en','Desert'),(30045,'es','Desierto'),(30054,'ar','منارة (ملاحة)'),(30054,'en','Lighthouse'),(30054,'es','Faro'),(30063,'ar','بركان'),(30063,'en','Volcano'),(30063,'es','Volcán'),(30072,'ar','مكتبة'),(30072,'en','Library'),(30072,'es','Biblioteca'),(30079,'ar','كتابة'),(30079,'en','Writing'),(30079,'es','Escritura'),(30084,'ar','زلزال'),(30084,'en','Earthquake'),(30084,'es','Terremoto'),(30090,'ar','حوت'),(30090,'en','whales'),(30090,'es','Ballena'),(30094,'ar','شطرنج'),(30094,'en','Chess'),(30094,'es','Ajedrez'),(30104,'ar','ورق'),(30104,'en','Paper'),(30104,'es','Papel'),(30107,'ar','كوكا (حيوان)'),(30107,'en','Quokka');
INSERT INTO `langlinks` VALUES (30107,'es','Quokka'),(30112,'ar','جسر'),(30112,'en','Bridge'),(30112,'es','Puente'),(30117,'ar','أرز'),(30117,'en','Rice'),(30117,'es','Arroz'),(30127,'ar','ملح الطعام'),(30127,'en','Salt'),(30127,'es','Sal'),(30128,'en','Fūrin'),(30131,'ar','خبز'),(30131,'de','Brot'),(30131,'en','Bread'),(30131,'es','Pan'),(30131,'fr','Pain'),(30139,'ar','نحل'),(30139,'en','Bee'),(30139,'es','Abeja'),(30155,'ar','زيتون'),(30155,'en','Olive'),(30155,'es','Olea europaea'),(30159,'ar','فيل'),(30159,'en','Elephant'),(30159,'es','Elefante'),(30160,'ar','القمر'),(30160,'en','Moon'),(30160,'es','Luna'),(30168,'ar','حديد'),(30168,'en','Iron'),(30168,'es','Hierro'),(30177,'ar','حرير'),(30177,'en','Silk'),(30177,'es','Seda'),(30179,'ar','ساعة (آلة)'),(30179,'en','Clock'),(30179,'es','Reloj'),(30188,'ar','قهوة'),(30188,'en','Coffee bean drink'),(30188,'es','Café');
/*!40000 ALTER TABLE `langlinks` ENABLE KEYS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
-- Dump completed on 2026-10-01  4:11:09
