import { AppRegistry } from 'react-native';

import './settings';
import App from './App';

AppRegistry.registerComponent('Example', () => App);
