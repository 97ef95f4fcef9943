import { AppRegistry } from 'react-native';

import './settings.own';
import App from './App';

AppRegistry.registerComponent('Example', () => App);
